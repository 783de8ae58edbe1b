"""The drawing scripts part by part: samplers, LoRAs, prompts, models."""

from pathlib import Path

import pytest
from helpers_drawing import find_drawing_facts
from helpers_embedded import Facts

from kohya_wrap.engines.drawing.scripts.names import SCHEDULES

pytestmark = pytest.mark.engine

FIRST_ORDER = {"Euler", "DDIM"}


@pytest.fixture
def facts(engine_python: Path) -> Facts:
    return find_drawing_facts(engine_python)


def test_samplers_of_the_plain_equation_come_to_its_solution(facts: Facts) -> None:
    """With four times the steps Euler's error is a third or less, a higher order's an eighth."""
    for name, (few, many) in facts["exact"].items():
        assert many < few / (3 if name in FIRST_ORDER else 8), name
        assert many < 0.06, name


def test_samplers_that_put_noise_in_draw_the_distribution(facts: Facts) -> None:
    """20,000 numbers have the mean 0.3 and the deviation 0.5 of what the model knows."""
    for name, (mean, deviation) in facts["stochastic"].items():
        assert mean == pytest.approx(0.3, abs=0.01), name
        assert deviation == pytest.approx(0.5, abs=0.04), name


def test_lcm_draws_the_distribution_in_four_steps(facts: Facts) -> None:
    """With a model that leads to the end of the path at once, as those that LCM is for."""
    assert facts["lcm"] == pytest.approx([0.3, 0.5], abs=0.01)


@pytest.mark.parametrize("name", ["DPM++ 2M", "DPM++ 2M SDE", "DPM++ 2M SDE Heun", "UniPC"])
def test_samplers_go_the_way_of_diffusers(facts: Facts, name: str) -> None:
    """Every sample on the way is that of diffusers' own scheduler, which computes in fp32."""
    assert facts["steps_of_diffusers"][name] < 1e-5


@pytest.mark.parametrize("name", ["DDIM", "PLMS"])
def test_samplers_with_their_own_steps_are_those_of_diffusers(facts: Facts, name: str) -> None:
    """DDIM and PLMS take the steps of the original code, and end where it ends."""
    assert facts["own_steps"][name] < 1e-6


@pytest.mark.parametrize("name", ["Uniform", "Karras", "Exponential"])
def test_schedules_are_those_of_diffusers(facts: Facts, name: str) -> None:
    """Three schedules number by number."""
    assert facts["sigmas"]["schedules"][name] == pytest.approx(facts["schedules_of_diffusers"][name], rel=1e-4)


def test_the_beta_schedule_has_the_quantiles_of_its_distribution(facts: Facts) -> None:
    """Number by number what scipy, which the wrapper has for other things, gives for Beta(0.6, 0.6)."""
    beta = pytest.importorskip("scipy.stats").beta
    lowest, highest, _ = facts["levels"]
    expected = [lowest + float(beta.ppf(1 - step / 9, 0.6, 0.6)) * (highest - lowest) for step in range(10)]
    assert facts["sigmas"]["schedules"]["Beta"] == pytest.approx([*expected, 0], rel=1e-4)


def test_every_schedule_falls_from_much_noise_to_none(facts: Facts) -> None:
    """As many sigmas as steps, each smaller than the one before, and a 0."""
    schedules = facts["sigmas"]["schedules"]
    assert set(schedules) == set(SCHEDULES) - {"Automatic"}
    for name, sigmas in schedules.items():
        assert len(sigmas) == 11, name
        assert sigmas == sorted(sigmas, reverse=True), name
        assert sigmas[-1] == 0, name
        assert sigmas[0] == pytest.approx(14.61 if name != "DDIM" else 8.39, abs=0.01), name


def test_second_order_samplers_leave_out_the_last_sigma_but_one(facts: Facts) -> None:
    """DPM2 takes eleven of Karras's, drops the smallest, and makes ten steps."""
    sigmas = facts["sigmas"]["DPM2"]
    assert len(sigmas) == 11
    assert sigmas[-2] == pytest.approx(0.0744, abs=0.0001)


def test_noise_levels_are_stable_diffusions(facts: Facts) -> None:
    """The range that everyone knows, and a way from step to sigma that leads back."""
    lowest, highest, error = facts["levels"]
    assert lowest == pytest.approx(0.0292, abs=0.0001)
    assert highest == pytest.approx(14.6146, abs=0.0001)
    assert error < 1e-9


@pytest.mark.parametrize("kind", ["linear", "conv", "tucker", "loha"])
def test_a_lora_adds_what_arithmetic_by_hand_adds(facts: Facts, kind: str) -> None:
    """Weight times alpha over rank times up times down; without alpha the factor is 1."""
    assert facts["arithmetic"][kind] < 1e-5


def test_a_merged_convolution_gives_what_training_gave(facts: Facts) -> None:
    """A LoCon in the weights is a LoCon beside them."""
    assert facts["forward"]["difference"] < 1e-6 * facts["forward"]["size"]


def test_weights_are_restored_bit_by_bit(facts: Facts) -> None:
    """After two LoRAs together, one alone and none, nothing of them is left; together they add up."""
    assert facts["restored"]["same"]
    assert facts["restored"]["changed"]
    assert facts["restored"]["summed"] < 1e-6


def test_half_precision_rounds_once(facts: Facts) -> None:
    """In fp16 the sum is made in fp32, and the original comes back."""
    assert facts["rounding"] == {"rounded_once": True, "same": True}


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("sdxl", "this is a LoRA of SDXL: 1 of its 1 modules are not in the base model"),
        ("stranger", "1 of its 2 modules are not in the base model, lora_unet_somewhere for one"),
        ("shape", "does not fit the base model's weight of 32x32"),
        ("ranks", "does not fit the base model's weight of 32x32"),
        ("halved", "does not fit the base model's weight of 32x32"),
        ("lokr", "is a parameter of LoKr; LoRA, LoCon and LoHa can be drawn"),
        ("dora", "is a parameter of DoRA; LoRA, LoCon and LoHa can be drawn"),
    ],
)
def test_a_lora_that_cannot_be_drawn_is_told(facts: Facts, case: str, said: str) -> None:
    """Another family, another shape, half of a pair, another algorithm: one sentence each, from the header."""
    [what] = facts["problems"][case]
    assert said in what


def test_a_lora_that_fits_has_no_problem(facts: Facts) -> None:
    """Nothing is said of a LoRA of this base."""
    assert facts["problems"]["fine"] == []


def test_a_lora_that_holds_nan_is_refused(facts: Facts) -> None:
    """The module and the file are named."""
    what, where = facts["not_finite"]
    assert "lora_te_text_model_encoder_layers_1_self_attn_q_proj is not finite" in what
    assert where == "nan.safetensors"


def test_files_that_are_not_whole_are_named_together(facts: Facts) -> None:
    """Cut short, a pickle by another name, and not there at all; the whole one is not among them."""
    assert facts["broken_files"] == ["cut.safetensors", "pickle.safetensors", "nowhere.safetensors"]


def test_a_plain_prompt_is_what_transformers_makes_of_it(facts: Facts) -> None:
    """With clip skip 1, and 2 through the last norm; the two differ."""
    plain = facts["plain"]
    assert plain["first"] < 1e-6
    assert plain["second"] < 1e-6
    assert plain["apart"] > 0.1


def test_attention_weighs_and_keeps_the_mean(facts: Facts) -> None:
    """Each token times its weight, then all by the ratio of the means."""
    assert facts["weights"]["mean"]["difference"] < 1e-6
    assert facts["weights"]["mean"]["changed"] > 0.01


def test_attention_makes_nothing_of_a_mean_of_0(facts: Facts) -> None:
    """The toy's text encoder has a mean that is rounding; tokens are weighed all the same."""
    assert facts["weights"]["without"] == {"difference": 0, "changed": 0}


def test_long_prompts_are_read_to_their_end(facts: Facts) -> None:
    """179 tokens make three windows; the last word changes the last one only, and BREAK begins another."""
    long = facts["long"]
    assert long["lengths"] == [77, 77, 231]
    assert long["break"] == 0
    assert long["begin"] == 0
    assert long["end"] > 0.01


def test_an_edited_prompt_changes_on_the_way(facts: Facts) -> None:
    """[ab:cd:0.5] is "ab" for two of four steps, then "cd"."""
    assert facts["editing"] == [0, 0, 0, 0]


def test_an_embedding_stands_for_its_vectors(facts: Facts) -> None:
    """Its name reads as the text whose vectors it holds, at its weight."""
    assert facts["embeddings"]["same"] < 1e-6


def test_an_embedding_in_a_pickle_is_left_out_and_told(facts: Facts) -> None:
    """The prompt is drawn as if the name were words."""
    assert facts["embeddings"]["ignored"] == 0
    assert facts["embeddings"]["notes"] == [
        "the embedding bad is left out: bad.pt is a pickle; give it as .safetensors"
    ]


def test_an_embedding_of_another_width_is_refused(facts: Facts) -> None:
    """One of Stable Diffusion 1.5 does not fit the toy base."""
    assert facts["embeddings"]["refused"].startswith("the embedding wide is not for this base model")


def test_a_clip_skip_that_is_too_deep_is_refused(facts: Facts) -> None:
    """The toy's text encoder has three layers."""
    assert facts["too_deep"] == "clip skip 4 asks for more layers than the text encoder's 3"


@pytest.mark.parametrize("kind", ["noise", "v"])
def test_the_guess_is_the_picture_that_the_model_knows(facts: Facts, kind: str) -> None:
    """For a model of noise and for one of v, as Stable Diffusion 2.x is."""
    assert facts["prediction"][kind] < 1e-5


def test_guidance_tells_both_prompts_step_by_step(facts: Facts) -> None:
    """At once where they are of one length, else one after the other; alone where CFG is 1; between steps the first."""
    assert facts["guidance"] == {
        "both": [[0, 1], [0, 1], [0, 2], [0, 2]],
        "apart": [[5, 5], [1], [5, 5], [1], [5, 5], [2], [5, 5], [2]],
        "alone": [[1], [1], [2], [2]],
    }


def test_a_vae_that_overflows_goes_on_in_fp32(facts: Facts) -> None:
    """The picture is drawn all the same, and the note is there once."""
    first, second = facts["vae_overflow"]["notes"]
    assert facts["vae_overflow"]["drawn"] == [[191, 191, 191]] * 2
    assert first == ["the VAE gave NaN in fp16, and decodes in fp32 from here on"]
    assert second == []


def test_pictures_are_drawn_in_half_precision_too(facts: Facts) -> None:
    """As on a GPU; nothing but the picture is left in the folder."""
    assert facts["half"] == {"notes": [], "left": ["half.png"]}


def test_what_runs_out_is_told(facts: Facts) -> None:
    """The disk with the file, memory of the GPU and of the machine; an error of another kind keeps its traceback."""
    assert facts["ran_out"] == [
        "the disk is full /pictures/a.png",
        "memory ran out: CUDA out of memory. Tried to allocate 20 MiB. ",
        "memory ran out: [enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory ",
        "memory ran out: MemoryError ",
        "",
        "",
    ]


def test_another_vae_takes_the_place_of_the_bases(facts: Facts) -> None:
    """A VAE that was given is the one that decodes."""
    assert facts["vae_folder"] is True


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("refiner", "this single file is no Stable Diffusion 1.x, 2.x or XL"),
        ("lora", "this single file is no Stable Diffusion 1.x, 2.x or XL"),
        ("headless", "its UNet2DConditionModel lacks 686 of its weights"),
        ("cut", "the base model is not a whole .safetensors file"),
        ("vae", "its AutoencoderKL lacks 248 of its weights"),
        ("folder", "this is no Stable Diffusion 1.x, 2.x or XL: it lacks unet/config.json"),
    ],
)
def test_a_base_model_that_is_none_is_told(facts: Facts, file: str, said: str) -> None:
    """SDXL's refiner, a LoRA, a part of a checkpoint, a file cut short, a LoRA as the VAE, an empty folder."""
    assert facts["not_a_base"][file].startswith(said)
