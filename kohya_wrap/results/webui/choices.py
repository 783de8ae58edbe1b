"""What a server has, against what pictures need: found by name, by hash, or said with all that there is."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from kohya_wrap.engines.drawing.types import Picture
from kohya_wrap.errors import BadResultError, DrawingError, Problem
from kohya_wrap.results.lora_file import read_lora

_MOST = 30


def listed(names: Sequence[str]) -> str:
    """Give names for a sentence, not too many of them."""
    return (", ".join(names[:_MOST]) + (", …" if len(names) > _MOST else "")) if names else "none"


def find_name(wanted: str, names: Iterable[str]) -> str | None:
    """Give a name as the server spells it, whatever its case."""
    return next((name for name in names if name.lower() == wanted.lower()), None)


def stem_of(name: str) -> str:
    """Give a server's file name without folder and ending; on Windows folders end in a backslash."""
    return PurePosixPath(name.replace("\\", "/")).stem


def lora_paths(pictures: Iterable[Picture]) -> tuple[Path, ...]:
    """Give the LoRAs of pictures, each once."""
    return tuple(dict.fromkeys(lora.path for picture in pictures for lora in picture.loras))


def tensor_hash(path: Path) -> str:
    """Give the hash that a LoRA says of its tensors; empty where it says none. Raises DrawingError."""
    try:
        return read_lora(path).metadata.get("sshs_model_hash", "")
    except BadResultError as error:
        raise DrawingError(error.what, where=error.where, todo="draw with another LoRA") from error


def not_installed(path: Path, kind: str) -> Problem:
    """Say that a LoRA is to be installed first."""
    return Problem("", f"does not have the LoRA {path.stem}", f"kohya-wrap lora install {path} --to {kind}")


def another_installed(path: Path, kind: str) -> Problem:
    """Say that a LoRA of that name is there, but not this one."""
    todo = f"kohya-wrap lora install {path} --to {kind} --name ANOTHER"
    return Problem("", f"has another LoRA of the name {path.stem}", todo)
