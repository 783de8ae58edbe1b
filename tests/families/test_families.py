"""What differs per family, held against the notebook's limits and the engine's options."""

from kohya_wrap.families import FAMILIES
from kohya_wrap.sd_scripts.options import is_option


def test_names_are_keys() -> None:
    """Each family is registered under its own name."""
    assert all(family.name == name for name, family in FAMILIES.items())


def test_resolutions_fit_the_buckets() -> None:
    """A family's default resolution is a whole number of bucket steps, and the steps are what the engine accepts."""
    for family in FAMILIES.values():
        assert family.default_resolution % family.bucket_step == 0
        assert family.bucket_step % 32 == 0


def test_fixed_arguments_are_options() -> None:
    """What a family always sets are options of its script."""
    for family in FAMILIES.values():
        assert all(is_option(name, family.script) for name in family.fixed_arguments)


def test_sd2_is_told_to_the_engine() -> None:
    """Stable Diffusion 2 sets v2; 1.x sets nothing."""
    assert FAMILIES["sd2"].fixed_arguments == {"v2": True}
    assert FAMILIES["sd15"].fixed_arguments == {}


def test_sd15_makes_264_modules() -> None:
    """Plain LoRA on 1.x makes 72 + 192 modules, three tensors each: the 792 of the issue."""
    modules = FAMILIES["sd15"].lora_modules
    assert (modules["text_encoder"] + modules["unet"]) * 3 == 792


def test_sdxl_leaves_out_what_its_script_warns_of() -> None:
    """clip_skip and v2 are options of 1.x; the VAE stays in 32 bits, where it gives no nan."""
    assert FAMILIES["sdxl"].fixed_arguments == {"no_half_vae": True}
    assert {"clip_skip", "v2"} == set(FAMILIES["sdxl"].left_out)
