"""The new pictures of one picture, in memory: whole and mirrored, crops and theirs, turned by small angles."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_DEGREES = 30.0
STALE = ("parameters", "prompt", "workflow", "Comment", "Description", "Software", "Title", "Source", "Author")
"""Text of a PNG in which generators tell how it was made: no longer true of a crop."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One new picture. `kind` is the end of its name ("face-flip"); `is_crop`: parts of the picture are gone."""

    kind: str
    image: "Image"
    is_crop: bool


def variants(
    image: "Image", crops: Sequence[tuple[str, tuple[int, int, int, int]]], *, flip: bool, rotations: Sequence[float]
) -> Iterator[Variant]:
    """Give the new pictures of an RGB picture; `crops`: names and left, top, right, bottom."""
    whole = [("", image, False)]
    whole += [(f"rotate{angle:+g}", turned(image, angle), False) for angle in rotations]
    for kind, made, is_crop in (*whole, *((name, image.crop(box), True) for name, box in crops)):
        if kind:
            yield Variant(kind, made, is_crop)
        if flip:
            yield Variant(f"{kind}-flip".removeprefix("-"), mirrored(made), is_crop)


def mirrored(image: "Image") -> "Image":
    """Give the mirror image, left for right."""
    from PIL import Image  # noqa: PLC0415 - only a dataset needs Pillow

    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def turned(image: "Image", degrees: float) -> "Image":
    """Turn a picture counter-clockwise, cut to the largest part of its own shape that has no empty corners."""
    from PIL import Image  # noqa: PLC0415 - only a dataset needs Pillow

    angle = math.radians(abs(degrees))
    width, height = image.size
    part = 1 / (math.cos(angle) + max(width / height, height / width) * math.sin(angle))
    inner = (max(1, math.floor(width * part)), max(1, math.floor(height * part)))
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    whole = image.rotate(degrees, Image.Resampling.BICUBIC)
    return whole.crop((left, top, left + inner[0], top + inner[1]))


def png_bytes(image: "Image", texts: dict[str, str] | None = None) -> bytes:
    """Give a picture as PNG, with its colour profile, and with no text but `texts`."""
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415 - only a dataset needs Pillow

    info = PngInfo()
    for key, text in (texts or {}).items():
        info.add_itxt(key, text)
    written = BytesIO()
    image.save(written, format="PNG", pnginfo=info)
    return written.getvalue()
