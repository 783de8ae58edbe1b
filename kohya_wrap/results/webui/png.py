"""A picture that a server has sent: looked at, given the texts that it lacks, and written whole."""

import io
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

from kohya_wrap.files import output_error
from kohya_wrap.results.parameters.png import SIGNATURE
from kohya_wrap.results.samples.shelf import ASKED, asked_text

_AFTER_IHDR = len(SIGNATURE) + 25
_FORMATS = ((b"\xff\xd8", "JPEG"), (b"RIFF", "WebP"))


def write_png(content: bytes, target: Path, parameters: str, *, drawn_with: str) -> None:
    """Write a PNG with its own texts and pixels, byte for byte; `parameters` goes in where it has none of that name.

    What was asked for is noted in it too, so that the picture is known again. Raises ValueError for what is no whole
    PNG, OutputError, DiskFullError.
    """
    had = _texts(content)
    added = {ASKED: asked_text(parameters, drawn_with)}
    if "parameters" not in had:
        added["parameters"] = parameters
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(_with_texts(content, added))
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise output_error(error, target) from error


def _texts(content: bytes) -> dict[str, str]:
    """Give the texts of a PNG whose pixels are all there. Raises ValueError."""
    from PIL import Image  # noqa: PLC0415 - slow to import

    if not content.startswith(SIGNATURE):
        kind = next((name for head, name in _FORMATS if content.startswith(head)), "")
        raise ValueError(f"it sends {kind}, and is to be set to PNG" if kind else "it is no PNG")
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            return dict(getattr(image, "text", {}))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from error


def _with_texts(content: bytes, texts: Mapping[str, str]) -> bytes:
    """Put texts behind the header: iTXt, as Pillow and the WebUI write what is not Latin-1."""
    chunks = b"".join(_chunk(f"{key}\0\0\0\0\0{text}".encode()) for key, text in texts.items())
    return content[:_AFTER_IHDR] + chunks + content[_AFTER_IHDR:]


def _chunk(body: bytes) -> bytes:
    typed = b"iTXt" + body
    return len(body).to_bytes(4, "big") + typed + zlib.crc32(typed).to_bytes(4, "big")
