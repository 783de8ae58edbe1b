"""What is compared of a picture: its perceptual hash, that of its mirror image, and its colours from afar."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kohya_wrap.dataset.verbs.parallel import Report, in_threads, no_report
from kohya_wrap.dataset.verbs.reading import UNREADABLE, opened, shown_small

if TYPE_CHECKING:
    from PIL.Image import Image

HASH_SIDE = 32
"""Side to which ImageHash's phash shrinks a picture before its cosine transform."""
COLOUR_SIDE = 8
_DECODED = 96
"""Side from which those are made: JPEGs are decoded no larger than needed, which is several times faster."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of one picture. `pixels` as stored; `colours`: 8 x 8 RGB, row by row."""

    pixels: int
    hash: int
    mirrored: int
    colours: bytes


def fingerprints(
    paths: Sequence[Path], *, mirror: bool = False, report: Report = no_report
) -> list[Fingerprint | None]:
    """Read pictures in threads; None for one that cannot be read."""
    return list(in_threads(partial(fingerprint, mirror=mirror), paths, label="reading pictures", report=report))


def fingerprint(path: Path, *, mirror: bool = False) -> Fingerprint | None:
    """Read one picture. Source: the hash is ImageHash's phash, 8 x 8 bits, of the picture as one sees it."""
    from PIL import Image  # noqa: PLC0415 - only a dataset needs Pillow

    try:
        with opened(path) as image:
            pixels = image.width * image.height
            small = shown_small(image, _DECODED)
    except UNREADABLE:
        return None
    grey = small.convert("L").resize((HASH_SIDE, HASH_SIDE), Image.Resampling.LANCZOS)
    flipped = grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    colours = small.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX).tobytes()
    return Fingerprint(pixels, _phash(grey), _phash(flipped) if mirror else 0, colours)


def _phash(grey: "Image") -> int:
    import imagehash  # noqa: PLC0415 - brings scipy

    return int(str(imagehash.phash(grey)), 16)
