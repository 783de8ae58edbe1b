"""Texts in the EXIF block of JPEG, WebP, AVIF and PNG, and in the comment of a GIF."""

import codecs
import struct
from pathlib import Path
from typing import BinaryIO

from kohya_wrap.results.parameters.png import decoded

_EXIF_HEAD = b"Exif\0\0"
_LARGEST = 32 << 20
_IFD_EXIF, _USER_COMMENT = 0x8769, 0x9286
_TEXT_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x9C9C)
"""ImageDescription, Make, Model (ComfyUI's animated WebP puts its JSON there), Software, Artist, XPComment."""
_XP_COMMENT = 0x9C9C


def jpeg_exif(path: Path) -> bytes:
    """Give the TIFF block of a JPEG's APP1 segment, empty when it has none. Raises OSError."""
    with path.open("rb") as file:
        file.seek(2)
        while len(head := file.read(4)) == 4 and head[0] == 0xFF and head[1] not in {0xDA, 0xD9}:
            length = int.from_bytes(head[2:], "big") - 2
            body = file.read(max(length, 0))
            if head[1] == 0xE1 and body.startswith(_EXIF_HEAD):
                return body.removeprefix(_EXIF_HEAD)
    return b""


def webp_exif(path: Path) -> bytes:
    """Give the TIFF block of a WebP's EXIF chunk, empty when it has none. Raises OSError."""
    with path.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[4:], "little")
            if head[:4] == b"EXIF" and length <= _LARGEST:
                return file.read(length).removeprefix(_EXIF_HEAD)
            file.seek(length + length % 2, 1)
    return b""


def pillow_exif(path: Path) -> bytes:
    """Give the TIFF block by way of Pillow, for AVIF. Raises OSError."""
    from PIL import Image  # noqa: PLC0415 - needed by one kind of picture

    try:
        with Image.open(path) as image:
            block = image.info.get("exif", b"")
    except (SyntaxError, ValueError, Image.DecompressionBombError):
        return b""
    return block.removeprefix(_EXIF_HEAD) if isinstance(block, bytes) else b""


def gif_comments(path: Path) -> list[str]:
    """Give the comments of a GIF. Raises OSError."""
    found = []
    with path.open("rb") as file:
        head = file.read(13)
        _skip_color_table(file, head[10:11])
        while mark := file.read(1):
            if mark == b"\x21":
                label, data = file.read(1), _sub_blocks(file)
                if label == b"\xfe":
                    found.append(decode_comment(data))
            elif mark == b"\x2c":
                _skip_color_table(file, file.read(9)[8:9])
                file.seek(1, 1)
                _sub_blocks(file)
            else:
                break
    return found


def _skip_color_table(file: BinaryIO, flags: bytes) -> None:
    if flags and flags[0] & 0x80:
        file.seek(3 << ((flags[0] & 7) + 1), 1)


def _sub_blocks(file: BinaryIO) -> bytes:
    parts, size = [], 0
    while (length := file.read(1)) and length != b"\0" and size < _LARGEST:
        parts.append(file.read(length[0]))
        size += length[0]
    return b"".join(parts)


def exif_texts(block: bytes) -> dict[str, str]:
    """Read the texts of a TIFF block: "UserComment", and others under "exif:0x010f". Empty when it is broken.

    Read here and not with Pillow, whose reader warns of, or drops, the tags that image generators write badly.
    """
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return {}
    try:
        main = _directory(block, order, *struct.unpack_from(order + "I", block, 4))
        texts = {
            f"exif:0x{tag:04x}": decode_comment(main[tag]) for tag in _TEXT_TAGS if tag in main and tag != _XP_COMMENT
        }
        if _XP_COMMENT in main:
            texts[f"exif:0x{_XP_COMMENT:04x}"] = main[_XP_COMMENT].decode("utf-16-le", "replace").rstrip("\0")
        pointer = main.get(_IFD_EXIF, b"")
        details = _directory(block, order, *struct.unpack(order + "I", pointer)) if len(pointer) == 4 else {}
        comment = details.get(_USER_COMMENT, main.get(_USER_COMMENT))
    except struct.error:
        return {}
    return texts if comment is None else {"UserComment": decode_comment(comment), **texts}


def _directory(block: bytes, order: str, offset: int) -> dict[int, bytes]:
    """Read one image file directory into the raw bytes of its values; only what can hold a text or a pointer."""
    (count,) = struct.unpack_from(order + "H", block, offset)
    values = {}
    for index in range(count):
        place = offset + 2 + 12 * index
        tag, kind, length = struct.unpack_from(order + "HHI", block, place)
        size = length * {1: 1, 2: 1, 3: 2, 4: 4, 7: 1}.get(kind, 0)
        start = place + 8 if size <= 4 else struct.unpack_from(order + "I", block, place + 8)[0]
        if 0 < size <= len(block) - start:
            values[tag] = block[start : start + size]
    return values


def decode_comment(data: bytes) -> str:
    """Decode a UserComment by its eight-byte prefix, a byte order mark, or where its zero bytes stand.

    Tools that say UNICODE write UTF-16 in either order, or even UTF-8. Settings are ASCII, so the zero halves of their
    characters tell: at even places big-endian, at odd places little-endian, none at all UTF-8.
    """
    prefix = data[:8].upper()
    if prefix == b"UNICODE\0" and data[8:].strip(b"\0") and 0 not in data[8:] and not _is_utf8(data[8:]):
        return _likelier_utf16(data[8:])
    if prefix in {b"UNICODE\0", b"UTF-8\0\0\0", b"UTF8\0\0\0\0", b"ASCII\0\0\0", bytes(8)}:
        return _decode_by_zeros(data[8:])
    if prefix == b"JIS\0\0\0\0\0":
        return data[8:].decode("iso2022_jp", "replace").rstrip("\0")
    return _decode_by_zeros(data)


def _decode_by_zeros(data: bytes) -> str:
    marks = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
    for mark, encoding in marks.items():
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace").rstrip("\0")
    even, odd = data[0::2].count(0), data[1::2].count(0)
    tail = len(data) - len(data.rstrip(b"\0"))
    if even + odd > tail:
        return data.decode("utf-16-be" if even >= odd else "utf-16-le", "replace").rstrip("\0")
    return decoded(data.rstrip(b"\0"))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _likelier_utf16(data: bytes) -> str:
    """Decode UTF-16 without a single ASCII character: the order that gives more kana, hanzi and hangul."""
    texts = [data.decode(encoding, "replace") for encoding in ("utf-16-be", "utf-16-le")]
    return max(
        texts, key=lambda text: sum("\u3000" <= mark <= "\u9fff" or "\uac00" <= mark <= "\ud7a3" for mark in text)
    )
