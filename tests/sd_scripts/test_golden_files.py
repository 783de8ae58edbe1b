"""The golden pairs: what is written for the presets' shapes and edge cases, byte for byte."""

import pytest
from helpers_sd_scripts import GOLDEN, SHAPES, make_job

from kohya_wrap.sd_scripts import dataset_toml, training_toml


@pytest.mark.parametrize("name", SHAPES)
def test_training_file(name: str) -> None:
    """The training file is the golden one (`make golden` rewrites it)."""
    assert training_toml(make_job(SHAPES[name])) == (GOLDEN / f"{name}.training.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SHAPES)
def test_dataset_file(name: str) -> None:
    """The dataset file is the golden one."""
    assert dataset_toml(make_job(SHAPES[name])) == (GOLDEN / f"{name}.dataset.toml").read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    """Each golden file belongs to a shape."""
    expected = {f"{name}.{kind}.toml" for name in SHAPES for kind in ("training", "dataset")}
    assert {path.name for path in GOLDEN.glob("*.toml")} == expected
