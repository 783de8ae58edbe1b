"""How far apart two LoRAs are."""

import math
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from kohya_wrap.results.lora_file import LoraFile, read_lora
from kohya_wrap.results.same import tensor_difference


def lora(path: Path, **tensors: list[float]) -> LoraFile:
    arrays = {name: np.array(values, dtype=np.float16) for name, values in tensors.items()}
    save_file(arrays, str(path), {"ss_steps": "1"})
    return read_lora(path)


def test_the_same_numbers_are_identical_whatever_the_metadata(tmp_path: Path) -> None:
    """Only tensors count."""
    first = lora(tmp_path / "a.safetensors", x=[1.0, 2.0])
    save_file({"x": np.array([1.0, 2.0], dtype=np.float16)}, str(tmp_path / "b.safetensors"), {"other": "y"})
    assert tensor_difference(first, read_lora(tmp_path / "b.safetensors")).identical


def test_the_largest_difference_is_found_with_its_place(tmp_path: Path) -> None:
    """Over all tensors, not the first one that differs."""
    first = lora(tmp_path / "a.safetensors", x=[1.0, 2.0], y=[0.0, 4.0])
    second = lora(tmp_path / "b.safetensors", x=[1.0, 2.5], y=[0.0, -4.0])
    found = tensor_difference(first, second)
    assert (found.largest, found.where, found.identical) == (8.0, "y", False)


def test_tensors_of_one_side_are_named(tmp_path: Path) -> None:
    """By name, and by another shape."""
    first = lora(tmp_path / "a.safetensors", x=[1.0, 2.0], z=[1.0])
    second = lora(tmp_path / "b.safetensors", x=[1.0], y=[1.0], z=[1.0])
    assert tensor_difference(first, second).missing == ("x", "y")


@pytest.mark.parametrize("other", [math.inf, math.nan])
def test_what_is_no_number_is_a_difference(tmp_path: Path, other: float) -> None:
    """A nan or inf in one of the two is not taken for the same."""
    first = lora(tmp_path / "a.safetensors", x=[1.0, 2.0])
    second = lora(tmp_path / "b.safetensors", x=[1.0, other])
    assert not tensor_difference(first, second).identical
