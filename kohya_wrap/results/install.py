"""A LoRA in a web UI's folder, with the files that the WebUI shows beside it; nothing of the user's is written over.

Source of the side files: A1111's extra networks: NAME.png is the card's picture, NAME.json what "Edit metadata" keeps.
"""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kohya_wrap.errors import OutputError
from kohya_wrap.files import copy_whole, output_error, sha256_file, write_whole
from kohya_wrap.results.inspect import inspect_header

ENDING = ".safetensors"
_VERSIONS = {"sd15": "SD1", "sd2": "SD2", "sdxl": "SDXL"}
_SHOWN = (".png", ".preview.png", ".jpg", ".preview.jpg", ".webp", ".preview.webp")
"""Endings of pictures that a card may show."""


@dataclass(frozen=True, slots=True)
class Installing:
    """What goes where. `name`: without ending; empty keeps the file's. `weight`: what the WebUI is to begin with.

    `link`: the same file under a second name, where both lie on one disk. `activation`: words that call it; empty takes
    what the file says. `preview`: a picture for its card.
    """

    lora: Path
    folder: Path
    name: str = ""
    weight: float = 0.8
    link: bool = False
    activation: str = ""
    preview: Path | None = None
    notes: str = ""

    @property
    def target(self) -> Path:
        """Where the LoRA goes."""
        return self.folder / f"{self.name or self.lora.stem}{ENDING}"


@dataclass(frozen=True, slots=True)
class Installed:
    """What is there now. `new`: files that were not there before, in a dry run those that would come.

    `prompt`: text to paste, which draws with it.
    """

    target: Path
    prompt: str
    new: tuple[Path, ...] = field(default=())


def install(wanted: Installing, *, dry_run: bool = False) -> Installed:
    """Copy (or link) a LoRA, and write the side files that are not there; the same file that is there stays.

    Raises BadResultError for what is no LoRA, OutputError where another file has the name or nothing can be written,
    DiskFullError.
    """
    header = inspect_header(wanted.lora)
    target = wanted.target
    _check(wanted, target)
    activation = wanted.activation or ", ".join(header.facts.activation_tags[:3])
    described = {
        "description": wanted.notes,
        "sd version": _VERSIONS.get(header.family, "Unknown"),
        "activation text": activation,
        "preferred weight": wanted.weight,
        "notes": "installed by kohya_wrap",
    }
    steps: list[tuple[Path, Callable[[Path], None]]] = []
    if not target.exists():
        steps.append((target, lambda path: _bring(wanted, path)))
    side = target.with_suffix(".json")
    if not side.exists():
        steps.append((side, lambda path: write_whole(path, json.dumps(described, ensure_ascii=False, indent=4))))
    preview = wanted.preview
    if preview is not None and not any(target.with_suffix(ending).exists() for ending in _SHOWN):
        card = target.with_suffix(preview.suffix.lower())
        steps.append((card, lambda path: copy_whole(preview, path)))
    if not dry_run:
        for path, write in steps:
            write(path)
    prompt = " ".join(filter(None, (f"{activation}," if activation else "", f"<lora:{target.stem}:{wanted.weight:g}>")))
    return Installed(target, prompt, tuple(path for path, _ in steps))


def _check(wanted: Installing, target: Path) -> None:
    if not wanted.folder.is_dir():
        raise OutputError("is no folder", where=str(wanted.folder), todo="give the web UI's folder of LoRAs")
    if Path(target.name).name != target.name or target.parent != wanted.folder or target.name.startswith("."):
        raise OutputError("is no name for a file", where=wanted.name, todo="give --name without folders")
    there = target.is_symlink() or target.exists()
    if there and not (target.is_file() and sha256_file(target) == sha256_file(wanted.lora)):
        what = "is there already, and is another file"
        raise OutputError(what, where=str(target), todo="give --name ANOTHER, or move it away")


def _bring(wanted: Installing, target: Path) -> None:
    """Put the file at its place, whole, and never in another's."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if wanted.link:
            with suppress(OSError):  # another disk, or none with links: a copy does as well
                os.link(wanted.lora, target)
                return
        shutil.copy2(wanted.lora, temporary)
        try:
            os.link(temporary, target)  # unlike a rename, never over a file that has come meanwhile
            temporary.unlink()
        except FileExistsError:
            raise
        except OSError:
            temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise output_error(error, target) from error
