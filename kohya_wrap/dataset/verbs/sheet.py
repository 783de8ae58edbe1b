"""Contact sheets: small pictures in labelled frames, in groups, as one PNG."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from kohya_wrap.dataset.verbs.letters import font, font_for
from kohya_wrap.dataset.verbs.parallel import Report, in_threads, no_report
from kohya_wrap.dataset.verbs.reading import UNREADABLE, opened, shown_small
from kohya_wrap.files import output_error

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

PAPER, CARD, LINE = "#f3f4f6", "#ffffff", "#d5d9e0"
INK, FAINT = "#1f2733", "#6b7484"
GREEN, AMBER, RED = "#1a9c5b", "#d98a00", "#d13b3b"
"""Of frames: kept or well, to be looked at, wrong."""
COLUMNS = 8
_THUMB, _PAD, _GAP, _MARGIN, _LINE_HEIGHT, _HEAD = 168, 16, 16, 28, 18, 84
_TEXT_LINES, _CHIP, _NARROWEST = 2, 20, 720


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture: where it is (or the picture itself), up to two lines below it, and a frame's colour and words."""

    picture: "Path | Image | None"
    lines: tuple[str, ...] = ()
    frame: str = ""
    badge: str = ""


Block = Sequence[Cell]
"""Cells on one card."""


def draw_sheet(title: str, below: str, blocks: Sequence[Block], *, report: Report = no_report) -> "Image":
    """Draw blocks of cells on cards, side by side where they fit, under a title and a line of explanation."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - only a dataset needs Pillow

    places, width, height = _place(blocks)
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN - 6), title, INK, font=font_for(title, 26))
    draw.text((_MARGIN, _MARGIN + 30), below, FAINT, font=font_for(below, 15))
    cells = [cell for block in blocks for cell in block]
    thumbs = in_threads(_thumb, cells, label="drawing the sheet", report=report)
    for block, (left, top, columns) in zip(blocks, places, strict=True):
        box = (left, top, left + _block_width(columns), top + _block_height(block, columns))
        draw.rounded_rectangle(box, 10, fill=CARD, outline=LINE)
        for at, cell in enumerate(block):
            x = left + _PAD + at % columns * (_THUMB + _PAD)
            y = top + _PAD + at // columns * _cell_height(block)
            _draw_cell(sheet, draw, cell, next(thumbs), (x, y, _chip(block)))
    return sheet


def save_png(image: "Image", path: Path) -> None:
    """Write a PNG whole or not at all. Raises OutputError, DiskFullError."""
    data = BytesIO()
    image.save(data, "PNG", optimize=False)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data.getvalue())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise output_error(error, path) from error


def _block_width(columns: int) -> int:
    return _PAD + columns * (_THUMB + _PAD)


def _chip(block: Block) -> int:
    """Give the height of the badges; none where no cell of the block has one."""
    return _CHIP if any(cell.badge for cell in block) else 0


def _cell_height(block: Block) -> int:
    return _THUMB + _chip(block) + _TEXT_LINES * _LINE_HEIGHT + 8 + _PAD


def _block_height(block: Block, columns: int) -> int:
    return _PAD + -(-len(block) // columns) * _cell_height(block)


def _place(blocks: Iterable[Block]) -> tuple[list[tuple[int, int, int]], int, int]:
    """Put blocks on shelves from left to right; give left, top and columns of each, and the size of the sheet."""
    full = 2 * _MARGIN + _block_width(COLUMNS)
    places, left, top, shelf, right = [], _MARGIN, _HEAD + _MARGIN // 2, 0, _NARROWEST
    for block in blocks:
        columns = max(1, min(len(block), COLUMNS))
        if left > _MARGIN and left + _block_width(columns) > full - _MARGIN:
            left, top, shelf = _MARGIN, top + shelf + _GAP, 0
        places.append((left, top, columns))
        left += _block_width(columns) + _GAP
        right = max(right, left - _GAP + _MARGIN)
        shelf = max(shelf, _block_height(block, columns))
    return places, right, top + shelf + _MARGIN


def _thumb(cell: Cell) -> "Image | None":
    from PIL import Image  # noqa: PLC0415 - only a dataset needs Pillow

    try:
        if isinstance(cell.picture, Path):
            with opened(cell.picture) as image:
                small = shown_small(image, _THUMB)
        elif cell.picture is None:
            return None
        else:
            small = cell.picture.convert("RGB")
    except UNREADABLE:
        return None
    factor = _THUMB / max(small.size)
    size = (max(1, round(small.width * factor)), max(1, round(small.height * factor)))
    return small.resize(size, Image.Resampling.LANCZOS)


def _draw_cell(
    sheet: "Image", draw: "ImageDraw", cell: Cell, thumb: "Image | None", at_chip: tuple[int, int, int]
) -> None:
    x, y, chip = at_chip
    if thumb:
        left, top = x + (_THUMB - thumb.width) // 2, y + (_THUMB - thumb.height) // 2
        sheet.paste(thumb, (left, top))
        box = (left, top, left + thumb.width - 1, top + thumb.height - 1)
    else:
        box = (x, y, x + _THUMB - 1, y + _THUMB - 1)
        draw.rectangle(box, fill=PAPER, outline=LINE)
        draw.text((x + _THUMB / 2, y + _THUMB / 2), "?", LINE, font=font(60), anchor="mm")
    if cell.frame:
        draw.rectangle((box[0] - 4, box[1] - 4, box[2] + 4, box[3] + 4), outline=cell.frame, width=4)
    if cell.badge:
        _badge(draw, cell, (x, y + _THUMB + 8))
    for at, line in enumerate(cell.lines[:_TEXT_LINES]):
        face = font_for(line, 14 - at)
        draw.text((x, y + _THUMB + chip + 11 + at * _LINE_HEIGHT), _fitted(line, face), FAINT if at else INK, font=face)


def _badge(draw: "ImageDraw", cell: Cell, corner: tuple[int, int]) -> None:
    face = font_for(cell.badge, 13)
    text = _fitted(cell.badge, face)
    width = min(draw.textlength(text, font=face) + 14, _THUMB)
    draw.rounded_rectangle((corner[0], corner[1], corner[0] + width, corner[1] + _CHIP), 4, fill=cell.frame or FAINT)
    draw.text((corner[0] + 7, corner[1] + _CHIP / 2), text, "white", font=face, anchor="lm")


def _fitted(text: str, face: "FreeTypeFont") -> str:
    """Shorten a text in the middle, so that a name's ending is seen."""
    for shown in _shorter(text):
        if face.getlength(shown) <= _THUMB - 4:
            return shown
    return "…"


def _shorter(text: str) -> Iterator[str]:
    clean = "".join(char if char.isprintable() else "?" for char in text)[:400]
    yield clean
    for length in range(min(len(clean), 60), 3, -1):
        front = (length + 1) // 2
        yield f"{clean[:front]}…{clean[len(clean) - (length - front) :]}"
