"""The dataset file against what the facts say of the notebook's."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers_sd_scripts import SHAPES, STRANGE_NAME, Shape, make_dataset, make_job

from kohya_wrap.errors import PresetError
from kohya_wrap.sd_scripts import dataset_toml


def written(shape: Shape | None = None, **tables: Mapping[str, object]) -> dict[str, Any]:
    return tomllib.loads(dataset_toml(make_job(shape or Shape(tables))))


def test_general_is_the_notebooks() -> None:
    """[general] has the notebook's ten keys and their default values."""
    assert written()["general"] == {
        "resolution": 512,
        "shuffle_caption": True,
        "keep_tokens": 1,
        "flip_aug": False,
        "caption_extension": ".txt",
        "enable_bucket": True,
        "bucket_reso_steps": 64,
        "bucket_no_upscale": False,
        "min_bucket_reso": 256,
        "max_bucket_reso": 1024,
    }


def test_one_subset() -> None:
    """One folder is one subset with num_repeats and image_dir, and no class_tokens."""
    assert written()["datasets"] == [
        {"subsets": [{"num_repeats": 10, "image_dir": "/project/Loras/lakto-lora/dataset"}]}
    ]


@pytest.mark.parametrize(("resolution", "limits"), [(640, (256, 1024)), (768, (320, 1280)), (64, (64, 1024))])
def test_bucket_limits_come_with_the_dataset(resolution: int, limits: tuple[int, int]) -> None:
    """The limits are those that the dataset was counted with, down to resolutions below 256."""
    general = written(processing={"resolution": resolution})["general"]
    assert (general["min_bucket_reso"], general["max_bucket_reso"]) == limits


def test_fields_reach_the_file() -> None:
    """flip_aug, shuffle_tags, activation_tags and caption_extension become the engine's keys, 0 and false included."""
    fields = {"flip_aug": True, "shuffle_tags": False, "activation_tags": 0, "caption_extension": ".caption"}
    general = written(processing=fields)["general"]
    expected = {"flip_aug": True, "shuffle_caption": False, "keep_tokens": 0, "caption_extension": ".caption"}
    assert {key: general[key] for key in expected} == expected


def test_without_captions_the_name_is_the_caption() -> None:
    """No captions: caption_extension is empty and class_tokens is the project's name, as in the notebook."""
    tables = written(SHAPES["no-captions"])
    assert tables["general"]["caption_extension"] == ""
    assert tables["datasets"][0]["subsets"][0]["class_tokens"] == "lakto-lora"


def test_a_second_group_says_what_differs() -> None:
    """A group of another resolution and batch size writes those into its own table."""
    first, second = written(SHAPES["two-groups"])["datasets"]
    assert "resolution" not in first
    assert (second["resolution"], second["batch_size"], second["validation_seed"]) == (768, 1, 1)


def test_subset_options_and_reg_are_kept() -> None:
    """Per-subset options, is_reg and class_tokens come through, 0 and false included."""
    styled, regular = written(SHAPES["two-groups"])["datasets"][0]["subsets"]
    assert (styled["keep_tokens"], styled["flip_aug"]) == (0, False)
    assert (regular["is_reg"], regular["class_tokens"]) == (True, "1boy")


def test_two_sides_of_a_resolution() -> None:
    """A resolution that is not square is written as [width, height]."""
    dataset = make_dataset(Path("/p"))
    group = dataset.groups[0]
    wide = replace(group, rules=replace(group.rules, resolution=(768, 512)))
    assert written(Shape({}, dataset=replace(dataset, groups=(wide,))))["general"]["resolution"] == [768, 512]


def test_strange_paths_come_back() -> None:
    """A folder with quotes, backslashes, Japanese, an emoji and a line break comes back as it is."""
    folder = written(SHAPES["strange-paths"])["datasets"][0]["subsets"][0]["image_dir"]
    assert STRANGE_NAME in folder


def test_an_override_file_is_taken_whole() -> None:
    """extras.override_dataset_config_file is used as it is."""
    shape = SHAPES["override"]
    assert written(shape) == shape.overrides.dataset


def test_an_override_that_was_not_read_is_an_error() -> None:
    """A named override file is never silently left out."""
    with pytest.raises(PresetError, match="override_dataset_config_file"):
        written(extras={"override_dataset_config_file": "mine.toml"})
