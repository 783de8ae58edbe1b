"""Where a crop is: in pixels or in fractions of a picture, grown by a margin, always inside."""

import re
from dataclasses import dataclass

from kohya_wrap.errors import DatasetError

SMALLEST = 16
"""Pixels a side below which a crop is a slip of the pen."""
_NAME = re.compile(r"[\w.+-]+")
_TODO = "write NAME=x,y,w,h in pixels, or in fractions of width and height, for example face=0.16,0,0.55,0.4"


@dataclass(frozen=True, slots=True)
class Box:
    """A named rectangle: left, top, width, height, all four in pixels, or all four in fractions of the picture."""

    name: str
    x: float
    y: float
    width: float
    height: float

    @property
    def in_fractions(self) -> bool:
        """Whether no number is above 1."""
        return max(self.x, self.y, self.width, self.height) <= 1

    def pixels(self, size: tuple[int, int], padding: float = 0.0) -> tuple[int, int, int, int]:
        """Give left, top, right, bottom in a picture of this size, with a margin of `padding` x its longer side.

        The margin ends at the picture's edge; a box that itself leaves the picture is an error. Raises DatasetError.
        """
        width, height = size if self.in_fractions else (1, 1)
        left, top = round(self.x * width), round(self.y * height)
        right, bottom = round((self.x + self.width) * width), round((self.y + self.height) * height)
        inside = 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]
        if not inside or min(right - left, bottom - top) < SMALLEST:
            what = f"{left},{top} to {right},{bottom} is outside of {size[0]}x{size[1]}, or under {SMALLEST} pixels"
            raise DatasetError(what, where=f"box {self.name}", todo=_TODO)
        margin = round(padding * max(right - left, bottom - top))
        return max(0, left - margin), max(0, top - margin), min(size[0], right + margin), min(size[1], bottom + margin)


def parse_box(text: str, number: int = 1) -> Box:
    """Read "x,y,w,h" or "NAME=x,y,w,h"; the first without a name is the face, others crop-2 and so on."""
    name, given, numbers = text.rpartition("=")
    try:
        x, y, width, height = (float(part) for part in numbers.split(","))
    except ValueError as error:
        raise DatasetError(f"{text!r} is no box", where="--box", todo=_TODO) from error
    box = Box(name.strip() if given else "face" if number == 1 else f"crop-{number}", x, y, width, height)
    if not _NAME.fullmatch(box.name):
        raise DatasetError(f"{box.name!r} cannot be part of a file name", where="--box", todo=_TODO)
    if not min(width, height) > 0 or not min(x, y) >= 0 or max(x, y, width, height) > 1e6:
        raise DatasetError(f"{text!r} is no box: numbers from 0, sides above 0", where="--box", todo=_TODO)
    return box
