"""A LoRA file read back without torch: header, hashes, and whether every number in it is finite."""

import hashlib
import json
import mmap
import os
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kohya_wrap.base_models.header import looks_like
from kohya_wrap.errors import BadResultError

_MAX_HEADER = 32 << 20
"""Bytes. Headers with the tags of a large dataset reach a few MiB; 100 MiB of JSON would take gigabytes to read."""
_BELIEVABLE_HEADER = 1 << 32
_EXPONENT = {
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
    "F32": ("<u4", 0x7F800000),
    "F64": ("<u8", 0x7FF << 52),
    "F8_E5M2": ("<u1", 0x7C),
    "F8_E4M3": ("<u1", 0x7F),
}
"""Type -> how its numbers are stored, and the bits that are all set in a nan or inf."""
_SLICE = 1 << 20


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor of a .safetensors file: numeric type as the format names it, shape, place in the data part."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class LoraFile:
    """The header of a LoRA. `data_offset`: where the tensor bytes begin. Source: the safetensors format."""

    path: Path
    metadata: Mapping[str, str]
    tensors: Mapping[str, TensorInfo]
    data_offset: int

    @property
    def modules(self) -> frozenset[str]:
        """Names of the LoRA modules: what stands before the first dot of each key."""
        return frozenset(key.partition(".")[0] for key in self.tensors)

    @property
    def steps(self) -> int:
        """ss_steps: optimizer steps this file was trained for; 0 when it does not say."""
        return whole(self.metadata.get("ss_steps"))


def whole(value: object) -> int:
    """Give a count in a stranger's metadata as a number; 0 for what is none, or has more than 12 digits."""
    return int(str(value)) if re.fullmatch(r"\d{1,12}", str(value)) else 0


def read_lora(path: Path, *, todo: str = "look at the end of the run's log for the cause") -> LoraFile:
    """Read a LoRA's header and check that the file is as long as it announces. Raises BadResultError with `todo`."""
    try:
        with path.open("rb") as file:
            first = file.read(8)
            length = int.from_bytes(first, "little")
            size = file.seek(0, 2)
            file.seek(8)
            if not 2 <= length <= min(_MAX_HEADER, size - 8):
                raise BadResultError(_no_header(first + file.read(64), length, size), where=str(path), todo=todo)
            header = json.loads(file.read(length))
        metadata = {str(key): str(value) for key, value in header.pop("__metadata__", {}).items()}
        tensors = {key: _tensor(entry) for key, entry in header.items()}
    except FileNotFoundError as error:
        raise BadResultError("there is no such file", where=str(path), todo="check the path") from error
    except OSError as error:
        raise BadResultError(f"the LoRA cannot be read: {error.strerror}", where=str(path), todo=todo) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadResultError("the LoRA has no whole header", where=str(path), todo=todo) from error
    announced = 8 + length + max((tensor.end for tensor in tensors.values()), default=0)
    if size != announced:
        what = "is cut short" if size < announced else "is longer than it announces"
        text = f"the LoRA {what}: {size:,} bytes where its header says {announced:,}"
        raise BadResultError(text, where=str(path), todo=todo)
    if sum(tensor.end - tensor.begin for tensor in tensors.values()) != announced - 8 - length:
        raise BadResultError("the LoRA's tensors overlap, or leave gaps", where=str(path), todo=todo)
    return LoraFile(path=path, metadata=metadata, tensors=tensors, data_offset=8 + length)


def _tensor(entry: Any) -> TensorInfo:
    shape, (begin, end) = tuple(entry["shape"]), entry["data_offsets"]
    if not all(type(number) is int and number >= 0 for number in (*shape, begin, end)) or begin > end:
        raise ValueError
    return TensorInfo(str(entry["dtype"]), shape, begin, end)


def _no_header(first: bytes, length: int, size: int) -> str:
    """Say why a file cannot be read as .safetensors, by its first bytes and the header length they announce."""
    if looks := looks_like(first):
        return f"the LoRA is no .safetensors file; it is {looks}"
    if _MAX_HEADER < length <= _BELIEVABLE_HEADER:
        return f"the LoRA announces a header of {length >> 20:,} MiB; more than {_MAX_HEADER >> 20} is not read"
    if 2 <= length <= _MAX_HEADER and size > 8:
        return f"the LoRA is cut short inside its header: {size:,} bytes where {8 + length:,} are announced"
    return "the LoRA is empty" if size == 0 else "the LoRA is no .safetensors file"


def not_finite(lora: LoraFile) -> tuple[str, ...]:
    """Name the tensors that hold a nan or inf, by their exponent bits (so bf16 needs no library that knows it)."""
    import numpy as np  # noqa: PLC0415 - 0.1 s that only the end of a run needs

    bad = []
    with lora.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        for key, tensor in lora.tensors.items():
            if tensor.dtype not in _EXPONENT or tensor.end == tensor.begin:
                continue
            kind, exponent = _EXPONENT[tensor.dtype]
            count = (tensor.end - tensor.begin) // np.dtype(kind).itemsize
            numbers = np.frombuffer(view, dtype=kind, count=count, offset=lora.data_offset + tensor.begin)
            if bool(np.any((numbers & np.array(exponent, dtype=kind)) == exponent)):
                bad.append(key)
            del numbers
    return tuple(bad)


def only_zeros(lora: LoraFile) -> tuple[str, ...]:
    """Name the lora_down tensors that hold zeros alone, which no training leaves: bytes that never reached the disk."""
    blank = []
    with lora.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        for key, tensor in lora.tensors.items():
            begin, end = lora.data_offset + tensor.begin, lora.data_offset + tensor.end
            if key.endswith(".lora_down.weight") and end > begin and not view[begin:end].strip(b"\0"):
                blank.append(key)
    return tuple(blank)


def write_with_metadata(
    lora: LoraFile, target: Path, changes: Mapping[str, str], *, without: Collection[str] = ()
) -> LoraFile:
    """Write a LoRA again with some of its metadata changed or left out, tensors byte for byte. Raises OSError."""
    tensors = {
        name: {"dtype": info.dtype, "shape": info.shape, "data_offsets": (info.begin, info.end)}
        for name, info in lora.tensors.items()
    }
    metadata = {name: value for name, value in {**lora.metadata, **changes}.items() if name not in without}
    header = json.dumps({"__metadata__": metadata, **tensors}, ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)  # data begins at a multiple of 8, as safetensors writes it
    with lora.path.open("rb") as source, target.open("wb") as file:
        source.seek(lora.data_offset)
        file.write(len(header).to_bytes(8, "little") + header)
        shutil.copyfileobj(source, file, _SLICE)
        file.flush()
        os.fsync(file.fileno())
    return read_lora(target)


def hashes(lora: LoraFile) -> tuple[str, str]:
    """Give (SHA256 of the file, SHA256 of its tensor bytes), both lower-case hex, in one pass.

    The second covers what follows the header, as sshs_model_hash and Civitai's AutoV3 do.
    """
    whole, tensors = hashlib.sha256(), hashlib.sha256()
    with lora.path.open("rb") as file:
        whole.update(file.read(lora.data_offset))
        while chunk := file.read(_SLICE):
            whole.update(chunk)
            tensors.update(chunk)
    return whole.hexdigest(), tensors.hexdigest()
