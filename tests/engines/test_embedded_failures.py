"""Trainings that the embedded engine cannot do: it stops, leaves no file, and the wrapper knows why."""

from pathlib import Path
from typing import Any

import pytest
from helpers_embedded import Facts, find_facts

from kohya_wrap.errors import MissingFileError, NoDataError, TrainingError, WrongFamilyError
from kohya_wrap.launch.types import Outcome
from kohya_wrap.sd_scripts.failures import diagnose

pytestmark = pytest.mark.engine

PARTS = ("unet", "vae", "text_encoder", "tokenizer")


@pytest.fixture
def facts(engine_python: Path) -> Facts:
    return find_facts(engine_python)


def diagnosed(found: Any) -> TrainingError:
    """Say what the wrapper makes of what the engine said."""
    return diagnose(Outcome(found["code"] or 1, 1.0), found["lines"], log=Path("/project/train.log"))


def test_nothing_is_left_of_what_failed(facts: Facts) -> None:
    """No output file in any of these cases."""
    refused = {name: found for name, found in facts["refusals"].items() if name != "folder twice"}
    assert all(found["files"] == [] and found["code"] != 0 for found in [*refused.values(), *facts["bases"].values()])
    assert len(refused) == 5


@pytest.mark.parametrize("part", PARTS)
def test_a_base_without_a_part_is_named(facts: Facts, part: str) -> None:
    """The file that is not there, and not a connection to a host."""
    error = diagnosed(facts["bases"][part])
    assert isinstance(error, MissingFileError)
    assert f"/broken/{part}/{part}" in str(error)
    assert "connect" not in str(error)


@pytest.mark.parametrize("case", ["model_index.json", "single file"])
def test_what_is_no_diffusers_folder_is_said(facts: Facts, case: str) -> None:
    """A folder without its index, and a single file."""
    error = diagnosed(facts["bases"][case])
    assert isinstance(error, WrongFamilyError)
    assert "is no diffusers model" in str(error)


def test_the_script_refuses_before_it_loads_anything(facts: Facts) -> None:
    """Each option that is not honoured has a line; exit code 1; no model is loaded."""
    found = facts["refusals"]["option"]
    assert found["code"] == 1
    assert found["lines"][1:] == [
        "RefusedError: training file: the embedded engine does not honour noise_offset",
        "RefusedError: training file: the embedded engine does not honour v_parameterization",
    ]


def test_the_wrapper_passes_a_refusal_on(facts: Facts) -> None:
    """With the engine that does honour it as the way out."""
    error = diagnosed(facts["refusals"]["option"])
    assert "does not honour" in str(error)
    assert "sd-scripts" in str(error)


@pytest.mark.parametrize("case", ["no pictures", "no folder", "no repeats"])
def test_nothing_to_train_on_is_said(facts: Facts, case: str) -> None:
    """An empty folder, one that is not there, and pictures used no times."""
    assert isinstance(diagnosed(facts["refusals"][case]), NoDataError)


def test_nothing_to_train_is_said(facts: Facts) -> None:
    """Both parts left out: torch's own words, which the wrapper knows."""
    assert "all learning rates are 0" in str(diagnosed(facts["refusals"]["nothing trained"]))


def test_a_folder_named_twice_is_used_once(facts: Facts) -> None:
    """As in sd-scripts, with its warning."""
    found = facts["refusals"]["folder twice"]
    assert "2 train images with repeats." in found["lines"]
    assert any(line.startswith("ignore duplicated subset with image_dir=") for line in found["lines"])
