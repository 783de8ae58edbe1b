"""A LoRA in a web UI's folder, with the files that the WebUI shows beside it; nothing of the user's is written over.

Source of the side files: A1111's extra networks: NAME.png is the card's picture, NAME.json what "Edit metadata" keeps.
"""

import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.errors import OutputError
from kohya_wrap.files import give_name, output_error, sha256_file
from kohya_wrap.results.inspect import LoraHeader, inspect_header
from kohya_wrap.results.parameters.png import SIGNATURE

ENDING = ".safetensors"
Write = Callable[[Path], object]
_VERSIONS = {"sd15": "SD1", "sd2": "SD2", "sdxl": "SDXL"}
_CARDS = (".png", ".jpg", ".jpeg", ".webp", ".gif")
"""Endings of pictures that a card may show, with and without .preview before them."""
_CARD_SIDE = 768
_MOST_TAGS = 3
_NO_NAME = re.compile(r"[<>:\"/\\|?*\x00-\x1f\x7f]|^[. ]|[. ]$")
"""What a file's name or <lora:NAME:…> cannot hold."""


@dataclass(frozen=True, slots=True)
class Installing:
    """What goes where. `name`: without ending; empty keeps the file's. `weight`: what the WebUI is to begin with.

    `link`: no copy, but a second name for the same file; on another disk a symbolic link. `activation`: words that call
    it; empty takes what the file says. `preview`: a picture for its card. `description`, `notes`: for its card, too.
    """

    lora: Path
    folder: Path
    name: str = ""
    weight: float = 0.8
    link: bool = False
    activation: str = ""
    preview: Path | None = None
    description: str = ""
    notes: str = ""

    @property
    def target(self) -> Path:
        """Where the LoRA goes."""
        return self.folder / f"{self.name.removesuffix(ENDING) or self.lora.stem}{ENDING}"


@dataclass(frozen=True, slots=True)
class Installed:
    """What is there now. `new`: files that were not there before, in a dry run those that would come.

    `activation`: words that call it. `tag`: <lora:NAME:WEIGHT>.
    """

    target: Path
    tag: str
    activation: str = ""
    new: tuple[Path, ...] = ()

    @property
    def prompt(self) -> str:
        """Text to paste into a WebUI's prompt, which draws with it."""
        return f"{self.activation}, {self.tag}" if self.activation else self.tag


def install(wanted: Installing, *, dry_run: bool = False) -> Installed:
    """Copy (or link) a LoRA, and write the side files that are not there; the same file that is there stays.

    Raises BadResultError for what is no LoRA, OutputError where another file has the name or nothing can be written,
    DiskFullError.
    """
    header = inspect_header(wanted.lora)
    target = wanted.target
    _check(wanted, target)
    activation = wanted.activation or ", ".join(header.facts.activation_tags[:_MOST_TAGS])
    described = json.dumps(_described(wanted, header, activation), ensure_ascii=False, indent=4) + "\n"
    steps: list[tuple[Path, Write]] = []
    if not target.exists():
        steps.append((target, lambda path: _bring(wanted, path)))
    side = target.with_suffix(".json")
    if not side.exists():
        steps.append((side, lambda path: path.write_bytes(described.encode("utf-8", "replace"))))
    card = _card(wanted.preview) if wanted.preview and not _has_card(target) else None
    if card is not None:
        steps.append((target.with_suffix(".png"), card))
    for path, write in () if dry_run else steps:
        _place(path, write)
    tag = f"<lora:{target.stem}:{wanted.weight:g}>"
    return Installed(target, tag, activation, tuple(path for path, _ in steps))


def _check(wanted: Installing, target: Path) -> None:
    if not wanted.folder.is_dir():
        raise OutputError("is no folder", where=str(wanted.folder), todo="give the web UI's folder of LoRAs")
    if target.parent != wanted.folder or _NO_NAME.search(target.stem):
        what = "cannot be the name of a LoRA in a prompt"
        raise OutputError(what, where=wanted.name or target.stem, todo="give --name of letters, digits, - and _")
    if not math.isfinite(wanted.weight):
        raise OutputError(f"{wanted.weight} is no weight", todo="give --weight 0.8, for example")
    there = target.is_symlink() or target.exists()
    if there and not (target.is_file() and sha256_file(target) == sha256_file(wanted.lora)):
        what = "is there already, and is another file"
        raise OutputError(what, where=str(target), todo="give --name ANOTHER, or move it away")


def _described(wanted: Installing, header: LoraHeader, activation: str) -> dict[str, object]:
    """Give what the WebUI keeps of a LoRA, in its own words."""
    facts = header.facts
    made = [f"epoch {facts.epoch}" if facts.epoch else "", f"{facts.steps} steps" if facts.steps else ""]
    made += [f"trained on {facts.base_model}" if facts.base_model else ""]
    return {
        "description": wanted.description or ", ".join(filter(None, (facts.title, *made))),
        "sd version": _VERSIONS.get(header.family, "Unknown"),
        "activation text": activation,
        "preferred weight": wanted.weight,
        "negative text": "",
        "notes": wanted.notes or f"installed by kohya_wrap from {wanted.lora.name}",
    }


def _has_card(target: Path) -> bool:
    return any(target.with_suffix(f"{kind}{ending}").exists() for kind in ("", ".preview") for ending in _CARDS)


def _card(preview: Path) -> Write | None:
    """Give what writes a card's picture: a PNG as it is, another kind as a PNG; None for what is no picture."""
    from PIL import Image  # noqa: PLC0415 - slow to import

    try:
        with preview.open("rb") as file:
            if file.read(len(SIGNATURE)) == SIGNATURE:
                return lambda path: shutil.copyfile(preview, path)
        with Image.open(preview) as image:
            small = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    small.thumbnail((_CARD_SIDE, _CARD_SIDE))
    return lambda path: small.save(path, "PNG")


def _bring(wanted: Installing, path: Path) -> None:
    """Put the LoRA at a temporary name: a link where that is asked for and can be, else a copy that is the same."""
    if wanted.link:
        for link in (os.link, os.symlink):
            with suppress(OSError):  # another disk; none with links
                link(wanted.lora.resolve(), path)
                return
    shutil.copy2(wanted.lora, path)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    if sha256_file(path) != sha256_file(wanted.lora):
        raise OutputError("changed while it was copied", where=str(wanted.lora), todo="run again")


def _place(target: Path, write: Write) -> None:
    """Have `write` make a file, and give it its name: whole, and never in the place of another.

    Raises OutputError, DiskFullError; nothing is left then.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        write(temporary)
        give_name(temporary, target)
    except OSError as error:
        raise output_error(error, target) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
