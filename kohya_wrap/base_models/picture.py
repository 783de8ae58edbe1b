"""The model a picture was made with, by the "Model hash" that a web UI wrote into it."""

import re
import warnings
from pathlib import Path

from kohya_wrap.base_models.errors import NotAModelError

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
_EXIF, _USER_COMMENT = 0x8769, 0x9286
_MODEL_HASH = re.compile(r"(?:^|[,\n])\s*Model hash: ([0-9a-fA-F]{8,64})(?=[,\s]|$)")
_LONGEST_CHUNK = 1_000_000
"""Bytes; text chunks of real pictures are a few kilobytes."""


def is_picture(path: Path) -> bool:
    """Tell a PNG, JPEG or WebP by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        first = file.read(12)
    return first.startswith((PNG, JPEG)) or (first[:4] == b"RIFF" and first[8:] == b"WEBP")


def model_hash(path: Path) -> str:
    """Give the model hash in the parameters of a picture, in lower-case hex. Raises NotAModelError when it has none."""
    match = None
    for text in _parameters(path):
        match = _MODEL_HASH.search(text) or match
    if match is None:
        todo = "give the model's link, or a picture whose web UI saved its generation parameters"
        raise NotAModelError("this picture does not say which model made it", where=str(path), todo=todo)
    return match[1].lower()


def _parameters(path: Path) -> list[str]:
    """Read what a web UI wrote: a text chunk of a PNG, the UserComment of anything else."""
    with path.open("rb") as file:
        is_png = file.read(8) == PNG
    return _text_chunks(path) if is_png else [_user_comment(path)]


def _user_comment(path: Path) -> str:
    """Read EXIF's UserComment: UTF-16 after "UNICODE" and a zero, of either byte order, else UTF-8."""
    from PIL import Image  # noqa: PLC0415 - slow to import, and a link is rarely a picture

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            raw = picture.getexif().get_ifd(_EXIF).get(_USER_COMMENT, b"")
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, Image.DecompressionBombError):
        return ""
    if not isinstance(raw, bytes):
        return str(raw)
    if not raw.startswith(b"UNICODE\0"):
        return raw[8:].decode("utf-8", "replace")
    text = raw[8:]
    big = text[::2].count(0) >= text[1::2].count(0)
    return text.decode("utf-16-be" if big else "utf-16-le", "replace")


def _text_chunks(path: Path) -> list[str]:
    """Read the texts under the key "parameters"; compressed ones are left out, no web UI writes them."""
    texts = []
    with path.open("rb") as file:
        file.seek(len(PNG))
        while len(head := file.read(8)) == 8:
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            if kind not in {b"tEXt", b"iTXt"} or length > _LONGEST_CHUNK:
                file.seek(length + 4, 1)
                continue
            key, _, rest = file.read(length).partition(b"\0")
            file.seek(4, 1)
            if key == b"parameters" and kind == b"tEXt":
                texts.append(rest.decode("latin-1"))
            elif key == b"parameters" and rest[:1] == b"\0":
                texts.append(rest[2:].split(b"\0", 2)[-1].decode("utf-8", "replace"))
    return texts
