"""Reading LoRA files back: whole or refused, finite or named."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from kohya_wrap.errors import BadResultError
from kohya_wrap.results.lora_file import hashes, not_finite, read_lora

KEY = "lora_unet_down.lora_up.weight"


def write(path: Path, value: float = 1.0, dtype: str = "float16", **metadata: str) -> Path:
    save_file({KEY: np.full((2, 3), value, dtype=dtype), "lora_unet_down.alpha": np.array(4.0)}, str(path), metadata)
    return path


def write_bf16(path: Path, bits: int) -> Path:
    """numpy knows no bf16, so the file is written by hand."""
    header = json.dumps({KEY: {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bits.to_bytes(2, "little"))
    return path


def test_the_header_tells_modules_shapes_and_steps(tmp_path: Path) -> None:
    """Names, shapes and ss_steps are read without the tensors."""
    lora = read_lora(write(tmp_path / "a.safetensors", ss_steps="50"))
    assert lora.modules == {"lora_unet_down"}
    assert lora.tensors[KEY].shape == (2, 3)
    assert lora.steps == 50


def test_missing_steps_read_as_zero(tmp_path: Path) -> None:
    """A file without ss_steps claims no training."""
    assert read_lora(write(tmp_path / "a.safetensors")).steps == 0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_every_kind_of_bad_number_is_found(tmp_path: Path, dtype: str, value: float) -> None:
    """nan, inf and -inf are found in each numeric type, and the tensor is named."""
    assert not_finite(read_lora(write(tmp_path / "a.safetensors", value, dtype))) == (KEY,)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_largest_finite_number_is_not_taken_for_inf(tmp_path: Path, dtype: str) -> None:
    """Only a full exponent is inf or nan."""
    largest = float(np.finfo(dtype).max)
    assert not_finite(read_lora(write(tmp_path / "a.safetensors", largest, dtype))) == ()


@pytest.mark.parametrize(
    ("bits", "bad"), [(0x3F80, False), (0x7F7F, False), (0x7F80, True), (0x7FC0, True), (0xFF80, True)]
)
def test_bf16_is_judged_by_its_bits(tmp_path: Path, bits: int, bad: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """1.0 and the largest bf16 pass; inf, nan and -inf do not."""
    assert bool(not_finite(read_lora(write_bf16(tmp_path / "a.safetensors", bits)))) is bad


def test_a_file_cut_short_is_refused_at_every_length(tmp_path: Path) -> None:
    """No prefix of a LoRA is taken for a whole one."""
    whole = write(tmp_path / "a.safetensors").read_bytes()
    cut = tmp_path / "cut.safetensors"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        with pytest.raises(BadResultError):
            read_lora(cut)


@pytest.mark.parametrize("content", [b"", b"<html>login</html>", b"\xff" * 100, (5).to_bytes(8, "little") + b"[1,2]"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    """HTML, noise and JSON of another shape are no LoRA, whatever the name says."""
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadResultError) as caught:
        read_lora(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A path that leads nowhere is this package's own error."""
    with pytest.raises(BadResultError, match="there is no such file"):
        read_lora(tmp_path / "none.safetensors")


def test_the_hash_of_the_tensors_does_not_see_the_metadata(tmp_path: Path) -> None:
    """Two runs that differ in times have equal tensor hashes and different file hashes."""
    one, two = write(tmp_path / "1.safetensors", ss_steps="1"), write(tmp_path / "2.safetensors", ss_steps="22")
    first, second = hashes(read_lora(one)), hashes(read_lora(two))
    assert first[0] == hashlib.sha256(one.read_bytes()).hexdigest()
    assert first[0] != second[0]
    assert first[1] == second[1]


def test_the_hash_of_the_tensors_sees_every_number(tmp_path: Path) -> None:
    """Another weight, another hash."""
    one, two = write(tmp_path / "1.safetensors", 1.0), write(tmp_path / "2.safetensors", 1.001)
    assert hashes(read_lora(one))[1] != hashes(read_lora(two))[1]
