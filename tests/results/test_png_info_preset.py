"""A preset from a picture: TOML that reads back, whatever the picture says."""

import tomllib
from pathlib import Path

import pytest

from kohya_wrap.config import TrainConfig
from kohya_wrap.results.parameters import Parameters, Resource, parse_text, preset_from_picture, read_parameters

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.mark.skipif(not (SHARED / "train.png").is_file(), reason="the shared pictures are not here")
def test_the_tutorial_s_picture_gives_the_tutorial_s_preset() -> None:
    """Crosskemono 2.5 by its hash, and the picture's own parameters as a sample."""
    parameters = read_parameters(SHARED / "train.png")
    preset = tomllib.loads(preset_from_picture(parameters, "lakto-lora"))
    assert preset["setup"] == {"project_name": "lakto-lora", "optional_custom_training_model_url": "167e5bcb37"}
    assert preset["samples"]["prompts"] == [parameters.raw]
    assert "processing" not in preset


def test_the_preset_fits_the_config() -> None:
    """Every key it writes is a key of the preset."""
    text = preset_from_picture(parse_text("p\nSteps: 1, Seed: 2, Size: 1024x1024, Model hash: aabbccddee"), "fox")
    config = TrainConfig.model_validate(tomllib.loads(text))
    assert config.setup.optional_custom_training_model_url == "aabbccddee"
    assert config.processing.resolution == 1024


def test_the_sample_reads_back() -> None:
    """Prompt, seed, size, sampler, steps and CFG come back from the sample's text."""
    first = parse_text("a fox\nNegative prompt: n\nSteps: 24, Sampler: Euler a, CFG scale: 9, Seed: 0, Size: 512x720")
    (sample,) = tomllib.loads(preset_from_picture(first, "fox"))["samples"]["prompts"]
    assert parse_text(sample) == first


@pytest.mark.parametrize(
    "prompt", ['quotes """ and "', "back\\slash \\n", "日本\ud800", "bell \x07\x7f\x00", "'''", 'end"', "\t"]
)
def test_any_prompt_is_valid_toml(prompt: str) -> None:
    """Quotes, backslashes, control characters and half characters cannot break the file."""
    parameters = Parameters(prompt, settings={"Steps": "1"}, resources=(Resource("model", prompt, "aabbccddee"),))
    (sample,) = tomllib.loads(preset_from_picture(parameters, prompt))["samples"]["prompts"]
    assert sample.startswith(prompt.replace("\ud800", "\ufffd"))


@pytest.mark.parametrize("model", [(), (Resource("model", "only a name"),)])
def test_a_model_without_hash_is_said(model: tuple[Resource, ...]) -> None:
    """The base model stays the default, and a comment says why."""
    text = preset_from_picture(Parameters("p", resources=model), "fox")
    assert "optional_custom_training_model_url" not in tomllib.loads(text)["setup"]
    assert "put a link" in text


@pytest.mark.parametrize(
    ("name", "project"), [("my fox (v1.0)", "my-fox-v1-0"), ("a/b\\c", "a-b-c"), ("...", "from-picture")]
)
def test_the_project_name_is_one_that_the_notebook_takes(name: str, project: str) -> None:
    """Space . ( ) quotes and slashes become dashes."""
    assert tomllib.loads(preset_from_picture(Parameters("p"), name))["setup"]["project_name"] == project
