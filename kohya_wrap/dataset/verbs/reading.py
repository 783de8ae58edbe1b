"""Pictures decoded for looking at: upright, on white, with eight bits a colour, and never a bomb."""

import contextlib
import struct
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF")
"""What may lie under a picture's name. Others would start programs of their own (EPS starts Ghostscript)."""
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)
"""What Pillow raises on files that are cut short, or no pictures."""
_LARGE = 40_000_000
_ONE_LARGE = threading.Lock()
"""Pictures of so many pixels are decoded one at a time, so that they do not fill the memory."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator["Image"]:
    """Open a picture; its pixels are not read yet. Raises one of UNREADABLE, for too many pixels too."""
    from PIL import Image  # noqa: PLC0415 - only a dataset needs Pillow

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ValueError(str(error)) from error
    with image, _ONE_LARGE if image.width * image.height > _LARGE else contextlib.nullcontext():
        yield image


def shown_small(image: "Image", side: int) -> "Image":
    """Decode a picture to RGB of no less than `side` pixels a side, if it has them, in its proportions, for looking at.

    The first frame, turned upright, transparent places white, 16 bits made 8.
    """
    from PIL import Image  # noqa: PLC0415 - only a dataset needs Pillow

    image.draft("RGB", (side, side))
    image.load()
    small: Image.Image = _eight_bits(image)
    factor = min(small.width, small.height) // side
    if factor > 1 and small.mode not in ("P", "1", "PA"):
        size = (round(small.width / factor), round(small.height / factor))
        small = small.resize(size, Image.Resampling.BOX)  # unlike reduce, the same from left and right
    return flattened(small, "white")


def flattened(image: "Image", background: str) -> "Image":
    """Give a picture as RGB, upright, on a background, with 8 bits a colour; the first frame."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - only a dataset needs Pillow

    flat = ImageOps.exif_transpose(_eight_bits(image))
    if flat.mode in ("RGBA", "LA", "PA") or "transparency" in flat.info:
        flat = flat.convert("RGBA")
        flat = Image.alpha_composite(Image.new("RGBA", flat.size, background), flat)
    return flat.convert("RGB")


def _eight_bits(image: "Image") -> "Image":
    if image.mode not in ("I;16", "I;16B", "I;16L", "I", "F"):
        return image
    import numpy as np  # noqa: PLC0415 - 0.1 s to import
    from PIL import Image  # noqa: PLC0415 - only a dataset needs Pillow

    pixels = np.asarray(image, np.float64)
    scale = 257 if image.mode.startswith("I") and pixels.max(initial=0) > 255 else 1
    return Image.fromarray(np.clip(pixels / scale, 0, 255).astype(np.uint8))
