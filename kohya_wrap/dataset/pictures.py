"""One picture looked at as the engine will see it: its size from the header, then every pixel decoded once."""

import contextlib
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from kohya_wrap.dataset.findings import finding
from kohya_wrap.errors import Problem

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 178_956_970
"""Pillow's limit against decompression bombs, twice MAX_IMAGE_PIXELS, beyond which the engine stops."""
_UPRIGHT = (None, 0, 1)
_ORIENTATION = 0x0112
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF")
"""What may lie under a picture's name. Others would start programs of their own (EPS starts Ghostscript)."""
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError, struct.error, zlib.error)
"""What Pillow and imagesize raise for files that are cut off or damaged."""
_LARGE = 40_000_000
"""Pixels from which pictures are decoded one at a time, so that a folder of them does not fill the memory."""
_ONE_LARGE = threading.Lock()


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a picture: pixels as stored (0 x 0 when unreadable), and what is wrong with it."""

    width: int
    height: int
    findings: tuple[Problem, ...] = ()


def look_at(paths: Sequence[Path]) -> list[Look]:
    """Look at pictures in parallel threads (decoding lets go of the interpreter's lock), in the order given."""
    # Once, around the threads: entered in each of them, catch_warnings would restore another thread's filters.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if len(paths) <= 1:
            return [_look(path) for path in paths]
        with ThreadPoolExecutor() as pool:
            return list(pool.map(_look, paths))


def _look(path: Path) -> Look:
    try:
        state = path.stat()
    except OSError as error:
        return Look(0, 0, (finding("unreadable", path, f"cannot be read: {error.strerror}"),))
    if state.st_size == 0:
        return Look(0, 0, (finding("zero-bytes", path, "has no bytes"),))
    return _look_again(path, state.st_size, state.st_mtime_ns, state.st_ino)


@lru_cache(maxsize=100_000)
def _look_again(path: Path, size: int, mtime_ns: int, inode: int) -> Look:
    """Decode a picture, once per process for a file that has not changed."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - only a dataset needs Pillow

    try:
        with Image.open(path, formats=_FORMATS) as image:
            large = image.width * image.height > _LARGE
            with _ONE_LARGE if large else contextlib.nullcontext():
                return _open(path, image)
    except Image.DecompressionBombError:
        return Look(0, 0, (finding("too-many-pixels", path, f"has more than {MAX_PIXELS} pixels"),))
    except UnidentifiedImageError:
        return Look(0, 0, (finding("not-a-picture", path, "is no PNG, JPEG, WebP or BMP, whatever its name says"),))
    except PermissionError as error:
        return Look(0, 0, (finding("unreadable", path, f"cannot be read: {error.strerror}"),))
    except _DAMAGE as error:
        return Look(0, 0, (finding("truncated", path, f"cannot be decoded to its end: {error}"),))


def _open(path: Path, image: "Image") -> Look:
    found = list(_header_findings(path, image))
    image.load()
    found += _pixel_findings(path, image)
    width, height = engine_size(path) or image.size
    return Look(width, height, tuple(found))


def engine_size(path: Path) -> tuple[int, int] | None:
    """Give the size by the library that the engine asks first, in the engine's version; None where it does not know."""
    import imagesize  # noqa: PLC0415 - only a dataset needs it

    width, height = imagesize.get(str(path))
    return (int(width), int(height)) if width > 0 and height > 0 else None


def _header_findings(path: Path, image: "Image") -> Iterator[Problem]:
    if image.getexif().get(_ORIENTATION) not in _UPRIGHT:
        yield finding("exif-rotation", path, "says in its EXIF data that it is to be turned")
    # A phone's JPEG may carry a depth map as a second picture (MPO): that is no animation.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        yield finding("animated", path, "has more than one frame")
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        yield finding("grey-16-bit", path, "has 16 bits of grey a pixel")
    if image.mode == "CMYK":
        yield finding("cmyk", path, "is in CMYK")


def _pixel_findings(path: Path, image: "Image") -> Iterator[Problem]:
    if image.mode not in ("RGBA", "LA", "PA") and "transparency" not in image.info:
        return
    alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else image.convert("RGBA").getchannel("A")
    lowest, _ = alpha.getextrema()
    if isinstance(lowest, int | float) and lowest < 255:
        yield finding("transparency", path, "is transparent in places")
