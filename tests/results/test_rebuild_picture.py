"""A preset from a picture: TOML that loads, whatever the picture says."""

from pathlib import Path

import pytest

from kohya_wrap import presets
from kohya_wrap.config import TrainConfig
from kohya_wrap.results.parameters import Parameters, Resource, parse_text, read_parameters
from kohya_wrap.results.rebuild import given_by_parameters, given_by_picture

FIRST = "a fox\nNegative prompt: n\nSteps: 24, Sampler: Euler a, CFG scale: 9, Seed: 0, Size: 512x720"


def config_of(folder: Path, parameters: Parameters) -> TrainConfig:
    given = given_by_parameters("fox", parameters, source="a picture")
    return presets.load(presets.new_preset("fox", target_dir=folder, given=given)).config


def test_the_tutorial_s_picture_gives_the_tutorial_s_preset(shared: Path, tmp_path: Path) -> None:
    """Crosskemono 2.5 by its hash, and the picture's own parameters as a sample."""
    picture = shared / "data" / "train.png"
    path = presets.new_preset("lakto-lora", target_dir=tmp_path, given=given_by_picture("lakto-lora", picture))
    config = presets.load(path).config
    assert config.setup.project_name == "lakto-lora"
    assert config.setup.optional_custom_training_model_url == "167e5bcb37"
    assert config.samples.prompts == (read_parameters(picture).raw,)
    assert config.processing.resolution == 512


def test_a_large_picture_is_trained_large(tmp_path: Path) -> None:
    """About a megapixel comes from a model of SDXL's size."""
    text = "p\nSteps: 1, Seed: 2, Size: 1024x1024, Model hash: aabbccddee"
    assert config_of(tmp_path, parse_text(text)).processing.resolution == 1024


def test_the_sample_reads_back(tmp_path: Path) -> None:
    """Prompt, seed, size, sampler, steps and CFG come back from the sample's text."""
    first = parse_text(FIRST)
    (sample,) = config_of(tmp_path, first).samples.prompts
    assert parse_text(sample) == first


@pytest.mark.parametrize(
    "prompt",
    [
        'quotes """ and "',
        "back\\slash \\n",
        "日本\ud800",
        "bell \x07\x7f\x00",
        "'''",
        'end"',
        "\t",
        "a\nb \\",
        "a\r\nb",
    ],
)
def test_any_prompt_is_valid_toml(prompt: str, tmp_path: Path) -> None:
    """Quotes, backslashes, control characters and half characters cannot break the file."""
    parameters = Parameters(prompt, settings={"Steps": "1"}, resources=(Resource("model", prompt, "aabbccddee"),))
    (sample,) = config_of(tmp_path, parameters).samples.prompts
    assert sample.startswith(prompt.replace("\ud800", "\ufffd"))


@pytest.mark.parametrize("model", [(), (Resource("model", "only a name"),)])
def test_a_model_without_hash_is_said(model: tuple[Resource, ...]) -> None:
    """The base model stays the default, and a note says why."""
    given = given_by_parameters("fox", Parameters("p", resources=model), source="a picture")
    assert "setup.optional_custom_training_model_url" not in given.values
    assert any("put a link" in note for note in given.notes)
