"""A LoRA file read back without torch: header, hashes, and whether every number in it is finite."""

import hashlib
import json
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.errors import BadResultError

_MAX_HEADER = 100 << 20
_EXPONENT = {"F16": ("<u2", 0x7C00), "BF16": ("<u2", 0x7F80), "F32": ("<u4", 0x7F800000), "F64": ("<u8", 0x7FF << 52)}
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
        text = self.metadata.get("ss_steps", "")
        return int(text) if text.isdigit() else 0


def read_lora(path: Path) -> LoraFile:
    """Read a LoRA's header and check that the file is as long as it announces. Raises BadResultError."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= _MAX_HEADER:
                raise _bad(path, "is no .safetensors file")
            header = json.loads(file.read(length))
            size = file.seek(0, 2)
        metadata = header.pop("__metadata__", {})
        tensors = {
            key: TensorInfo(entry["dtype"], tuple(entry["shape"]), *entry["data_offsets"])
            for key, entry in header.items()
        }
    except OSError as error:
        raise _bad(path, f"cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _bad(path, "has no whole header") from error
    if size != 8 + length + max((tensor.end for tensor in tensors.values()), default=0):
        raise _bad(path, "is cut short, or longer than it announces")
    return LoraFile(path=path, metadata=metadata, tensors=tensors, data_offset=8 + length)


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


def _bad(path: Path, what: str) -> BadResultError:
    return BadResultError(f"the LoRA {what}", where=str(path), todo="look at the end of the run's log for the cause")
