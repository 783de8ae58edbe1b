"""The text chunks of a PNG, wherever they stand, without decoding the picture.

Chunks are read by their lengths, so text after the image data costs a seek, and a picture whose pixels are broken
still tells its parameters. Source: the PNG specification, sections 11.3.3 and the APNG chunk `comf` of ComfyUI.
"""

import zlib
from pathlib import Path
from typing import BinaryIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LARGEST_TEXT = 32 << 20
"""Bytes, compressed or not; ComfyUI's largest workflows are a few megabytes."""


def read_png_texts(path: Path) -> dict[str, str]:
    """Give the texts of tEXt, zTXt, iTXt and comf by keyword; the last of one name wins, as in Pillow.

    What is too large, wrongly compressed or cut short is left out. Raises OSError.
    """
    texts: dict[str, str] = {}
    with path.open("rb") as file:
        file.seek(len(SIGNATURE))
        while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
            _read_chunk(file, head[4:], int.from_bytes(head[:4], "big"), texts)
    return texts


def read_exif_chunk(path: Path) -> bytes:
    """Give the content of a PNG's eXIf chunk, empty when it has none. Raises OSError."""
    with path.open("rb") as file:
        file.seek(len(SIGNATURE))
        while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
            length = int.from_bytes(head[:4], "big")
            if head[4:] == b"eXIf" and length <= _LARGEST_TEXT:
                return file.read(length)
            file.seek(length + 4, 1)
    return b""


def _read_chunk(file: BinaryIO, kind: bytes, length: int, texts: dict[str, str]) -> None:
    if kind not in _READERS or length > _LARGEST_TEXT:
        file.seek(length + 4, 1)
        return
    body = file.read(length)
    file.seek(4, 1)
    keyword, mark, rest = body.partition(b"\0")
    text = _READERS[kind](rest)
    if len(body) == length and mark and text is not None:
        texts[keyword.decode("latin-1")] = text


def _plain(rest: bytes) -> str:
    """Read tEXt: Latin-1 by the standard, but UTF-8 as several tools write it, where it is valid and not ASCII."""
    return decoded(rest)


def decoded(data: bytes) -> str:
    """Decode as UTF-8 where that is valid, else as Latin-1."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _compressed(rest: bytes) -> str | None:
    data = _inflated(rest[1:]) if rest[:1] == b"\0" else None
    return None if data is None else decoded(data)


def _international(rest: bytes) -> str | None:
    flag, method = rest[:1], rest[1:2]
    parts = rest[2:].split(b"\0", 2)
    if len(parts) < 3 or flag not in {b"\0", b"\1"} or (flag == b"\1" and method != b"\0"):
        return None
    data = _inflated(parts[2]) if flag == b"\1" else parts[2]
    return None if data is None else data.decode("utf-8", "replace")


def _inflated(data: bytes) -> bytes | None:
    """Decompress, but never beyond the largest text: a few kilobytes can claim gigabytes."""
    decoder = zlib.decompressobj()
    try:
        text = decoder.decompress(data, _LARGEST_TEXT)
    except zlib.error:
        return None
    return text if decoder.eof else None


_READERS = {b"tEXt": _plain, b"comf": _plain, b"zTXt": _compressed, b"iTXt": _international}
