"""Hold what a file is against what a preset asks for; the answer is one sentence."""

from pathlib import Path

from kohya_wrap.base_models.errors import NotAModelError, UnsupportedFamilyError
from kohya_wrap.base_models.identify import Identity
from kohya_wrap.base_models.located import Wanted
from kohya_wrap.errors import BaseModelError
from kohya_wrap.families import FAMILIES


def check_suitable(identity: Identity, wanted: Wanted, path: Path) -> None:
    """Raise NotAModelError or UnsupportedFamilyError unless `identity` can be used as `wanted`."""
    error = _why_not_vae(identity, wanted) if wanted.role == "VAE" else _why_not_base(identity, wanted)
    if error is not None:
        what, todo, kind = error
        raise kind(f"{path.name} is {what}", where=wanted.field, todo=todo)


def _why_not_vae(identity: Identity, wanted: Wanted) -> tuple[str, str, type[BaseModelError]] | None:
    title = FAMILIES[wanted.family].title
    if identity.kind == "checkpoint" and "VAE" not in identity.missing:  # sd-scripts takes the VAE out of a checkpoint
        wrong = identity.family != wanted.family
        return (f"{identity}; this preset trains {title}", "give a VAE", UnsupportedFamilyError) if wrong else None
    if identity.kind != "vae":
        return f"{identity}, not a VAE", "give a VAE, or leave setup.vae empty", NotAModelError
    if identity.layout == "diffusers":
        todo = "give the VAE's .safetensors in the original layout, or the diffusers folder it comes from"
        return "a VAE in diffusers' layout, which sd-scripts cannot read from a single file", todo, NotAModelError
    return None


def _why_not_base(identity: Identity, wanted: Wanted) -> tuple[str, str, type[BaseModelError]] | None:
    title = FAMILIES[wanted.family].title
    give = f"give a {title} base model"
    if identity.kind == "lora":
        todo = f"{give}; to go on from this LoRA use training.continue_from_lora"
        return "a LoRA, not a base model", todo, NotAModelError
    if identity.kind != "checkpoint":
        return f"{identity}, not a base model", give, NotAModelError
    if identity.family != wanted.family:
        return f"{identity}; this preset trains {title}", _other_family(identity, give), UnsupportedFamilyError
    if identity.inpainting:
        return f"{identity}; its U-Net takes a mask, which sd-scripts does not train", give, UnsupportedFamilyError
    if identity.missing:
        return f"{title} without {' and '.join(identity.missing)}", "give the whole checkpoint", NotAModelError
    return None


def _other_family(identity: Identity, give: str) -> str:
    if identity.family == "sd2":
        return f"{give}, or set setup.custom_model_is_based_on_sd2 = true"
    if identity.family == "sd15":
        return "set setup.custom_model_is_based_on_sd2 = false"
    return give
