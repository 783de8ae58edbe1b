"""Read the header of a .safetensors file: names, types and shapes of its tensors, without the tensors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kohya_wrap.base_models.errors import NotAModelError

MAX_HEADER_BYTES = 100_000_000
"""The format's own limit: a longer header is refused by the safetensors library too."""

_SIGNATURES = (
    (b"PK\x03\x04", "a pickle checkpoint (.ckpt) under another name"),
    (b"\x80\x02", "a pickle checkpoint (.ckpt) under another name"),
    (b"GGUF", "a GGUF file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"{", "a JSON answer"),
    (b"[", "a JSON answer"),
    (b"<", "an HTML page"),
)


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor's entry. `dtype` in the format's spelling (F16, BF16, F32, …)."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says. `metadata`: its __metadata__ table, strings only. `data_bytes`: length of the tensors."""

    tensors: Mapping[str, Tensor]
    data_bytes: int
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_header(path: Path) -> Header:
    """Read the header of `path`, at most MAX_HEADER_BYTES of it; its offsets must fit the file's size exactly.

    Raises NotAModelError for anything that is not a whole .safetensors file, and says what it looks like.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(8)
        length = int.from_bytes(first, "little")
        if len(first) < 8 or not 2 <= length <= MAX_HEADER_BYTES:
            raise _not_safetensors(path, first + file.read(64))
        if 8 + length > size:
            raise _not_safetensors(path, first + file.read(64), shorter=True)
        text = file.read(length)
    header = parse_header(text, path)
    if 8 + length + header.data_bytes != size:
        raise _cut(path, expected=8 + length + header.data_bytes, size=size)
    return header


def parse_header(text: bytes, path: Path) -> Header:
    """Turn the header's JSON into a Header; `path` is only named in errors."""
    try:
        entries = json.loads(text)
        metadata = entries.pop("__metadata__", {})
        tensors = {name: Tensor(str(entry["dtype"]), _shape(entry["shape"])) for name, entry in entries.items()}
        end = max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
        said = {str(key): str(value) for key, value in metadata.items()}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise _broken(path) from error
    return Header(tensors, end, said)


def _shape(sides: Any) -> tuple[int, ...]:
    if not all(type(side) is int for side in sides):
        raise ValueError
    return tuple(sides)


def looks_like(first: bytes) -> str:
    """Say in a few words what a file that is no .safetensors is, by its first bytes; empty when nothing is known."""
    start = first.lstrip(b"\xef\xbb\xbf \r\n\t")
    return next((name for signature, name in _SIGNATURES if start.startswith(signature)), "")


def _not_safetensors(path: Path, first: bytes, *, shorter: bool = False) -> NotAModelError:
    looks = looks_like(first)
    if not first:
        looks = "empty"
    if not looks and shorter:
        looks = "cut off inside its header"
    return NotAModelError(
        f"this is no .safetensors file; it is {looks}" if looks else "this is no .safetensors file",
        where=str(path),
        todo="download it again, or give another file",
    )


def _cut(path: Path, *, expected: int, size: int) -> NotAModelError:
    kind = "cut off" if size < expected else "followed by something else"
    return NotAModelError(
        f"the file is {kind}: {size:,} bytes where its header says {expected:,}",
        where=str(path),
        todo="download it again",
    )


def _broken(path: Path) -> NotAModelError:
    return NotAModelError("its .safetensors header is damaged", where=str(path), todo="download it again")
