"""SDXL's base models, prompts and LoRAs in the drawing scripts, on a toy of its shape."""

from pathlib import Path

import pytest
from helpers_drawing import find_drawing_facts
from helpers_embedded import Facts

pytestmark = pytest.mark.engine


@pytest.fixture
def facts(engine_python: Path) -> Facts:
    return find_drawing_facts(engine_python)


@pytest.mark.parametrize("case", ["plain", "empty", "v", "zero_snr"])
def test_pictures_are_those_of_diffusers_own_pipeline(facts: Facts, case: str) -> None:
    """Apart by no more than the rounding to whole numbers, whatever the U-Net guesses and where it begins."""
    found = facts["xl_pipeline"][case]
    assert found["difference"] < 0.6
    assert found["spread"] > 10


def test_what_is_asked_changes_the_picture(facts: Facts) -> None:
    """The size, the prompt to its end and attention count; clip skip does not, as in A1111."""
    counts = {"size": True, "prompt": True, "end": True, "weight": True, "clip_skip": False}
    assert facts["xl_counts"] == counts


def test_a_single_file_draws_what_its_folder_draws(facts: Facts) -> None:
    """In the original names, with the tokenizer beside it, pixel by pixel."""
    assert facts["xl_single"]["same"] is True


def test_a_single_file_may_say_what_it_guesses(facts: Facts) -> None:
    """The marks v_pred and ztsnr: it guesses v, from noise alone."""
    assert facts["xl_single"]["v"] == [False, True]
    assert facts["xl_single"]["highest"] == pytest.approx([14.6146, 4096], abs=0.001)


def test_another_vae_keeps_the_factor_of_sdxl(facts: Facts) -> None:
    """A VAE of one file takes the place of the base's, and its latents are scaled by 0.13025."""
    assert facts["xl_single"]["vae"] == [3, 0.13025]


def test_a_lora_in_sd_scripts_names_does_what_sums_by_hand_do(facts: Facts) -> None:
    """Twelve modules of the U-Net and both text encoders, at weight 0.7, and at 0.35 twice."""
    found = facts["xl_lora"]
    assert found["problems"] == []
    assert found["difference"] < 1e-5
    assert found["twice"] < 1e-5
    assert found["changed"] > 0.1


def test_nothing_of_a_lora_is_left(facts: Facts) -> None:
    """Bit by bit what was said before."""
    assert facts["xl_lora"]["restored"] is True


@pytest.mark.parametrize("kind", ["linear", "conv", "tucker", "loha"])
def test_a_lora_beside_a_module_is_one_in_its_weight(facts: Facts, kind: str) -> None:
    """Each kind of LoRA that can be drawn."""
    found = facts["xl_lora_kinds"][kind]
    assert found["difference"] < 1e-5
    assert found["changed"] > 0.1


def test_loras_that_cannot_be_drawn_are_told(facts: Facts) -> None:
    """One of Stable Diffusion 1.x, and one that holds NaN."""
    stranger, nan = facts["xl_strangers"]
    assert stranger.startswith("this is a LoRA of Stable Diffusion 1.x or 2.x: 1 of its 1 modules")
    assert nan.startswith("lora_te1_text_model_encoder_layers_0_mlp_fc1 is not finite")


def test_long_prompts_are_read_to_their_end(facts: Facts) -> None:
    """Three windows, both encoders side by side; the summary is that of the first window."""
    assert facts["xl_prompts"]["shape"] == [1, 231, 32 + 48]
    assert facts["xl_prompts"]["pooled"] is True


def test_attention_weighs_what_both_encoders_say(facts: Facts) -> None:
    """A word of weight 1.5 against one of weight 1."""
    assert facts["xl_prompts"]["ratios"] == pytest.approx([1.5, 1.5])


def test_an_embedding_has_vectors_for_both_encoders(facts: Facts) -> None:
    """clip_l and clip_g read as the text whose vectors they hold; with one of them alone it is refused."""
    assert facts["xl_prompts"]["embedding"] < 1e-6
    what = "the embedding half is not for this base model, whose vectors are 32 and 48 wide"
    assert facts["xl_prompts"]["refused"] == what


def test_a_gpu_has_all_but_the_vae_in_16_bits(facts: Facts) -> None:
    """The VAE, which gives NaN in fp16, is loaded in fp32; a picture with a LoRA is drawn."""
    assert facts["xl_half"] == {"types": ["torch.float16"] * 3 + ["torch.float32"], "notes": []}


def test_a_picture_that_is_too_large_for_the_vae_is_decoded_in_tiles(facts: Facts) -> None:
    """Where a GPU's memory runs out in decoding alone: nearly the same picture, and a note."""
    found = facts["xl_tiles"]
    assert (found["size"], found["tries"]) == ([576, 640, 3], [False, True])
    assert found["notes"] == ["the GPU's memory ran out in the VAE, which decodes in tiles from here on"]
    assert found["apart"] < 0.3


def test_a_folder_that_is_not_whole_is_told(facts: Facts) -> None:
    """What it lacks is named."""
    assert facts["xl_lacks"] == "this is no Stable Diffusion 1.x, 2.x or XL: it lacks text_encoder_2/config.json"
