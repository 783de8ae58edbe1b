"""One picture on its way: looked at, then made into its variants."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from kohya_wrap.dataset.captions import caption_of
from kohya_wrap.dataset.verbs.curate import read_caption
from kohya_wrap.dataset.verbs.expand.options import ExpandOptions
from kohya_wrap.dataset.verbs.expand.propose import propose_face
from kohya_wrap.dataset.verbs.expand.variants import STALE, png_bytes, variants
from kohya_wrap.dataset.verbs.reading import UNREADABLE, flattened, opened
from kohya_wrap.errors import DatasetError, Problem

_WHITE = "white"
_LOSSLESS = {".png": "PNG", ".webp": "WEBP"}
_TRANSPARENT = ("RGBA", "LA", "PA")


@dataclass(frozen=True, slots=True)
class Source:
    """A picture to expand: its size upright, its crops as left, top, right, bottom, and its caption if it has one."""

    path: Path
    size: tuple[int, int]
    crops: tuple[tuple[str, tuple[int, int, int, int]], ...] = ()
    transparent: bool = False
    caption: str | None = None


def look(path: Path, options: ExpandOptions) -> Source | Problem:
    """Decode a picture and find its crops, or say what is wrong with it."""
    file = caption_of(path, options.caption_extension)
    caption = read_caption(file) if options.caption_extension and file.is_file() else None
    if isinstance(caption, Problem):
        return caption
    try:
        with opened(path) as image:
            transparent = image.mode in _TRANSPARENT or "transparency" in image.info
            transparent = transparent and image.convert("RGBA").getchannel("A").getextrema() != (255, 255)
            flat = flattened(image, options.background or _WHITE)
        boxes = options.boxes or ((propose_face(flat),) if options.crop else ())
        crops = tuple((box.name, box.pixels(flat.size, options.padding)) for box in boxes)
    except UNREADABLE as error:
        return Problem(str(path), f"cannot be decoded: {error}", "replace it, or set it aside")
    except DatasetError as error:
        problem = error.problems[0]
        return Problem(f"{path}, {problem.where}", problem.what, problem.todo)
    return Source(path, flat.size, crops, transparent=transparent, caption=caption)


def rendered(source: Source, options: ExpandOptions) -> dict[str, tuple[bytes, bool]]:
    """Give the new pictures by kind, as PNG, and whether each is a crop. Raises DatasetError if the file changed."""
    try:
        with opened(source.path) as image:
            flat = flattened(image, options.background or _WHITE)
            texts = {key: text for key, text in image.info.items() if key in STALE and isinstance(text, str)}
            if image.mode == "CMYK":
                flat.info.pop("icc_profile", None)  # it describes inks, and these are no longer
    except UNREADABLE as error:
        raise DatasetError(f"cannot be decoded: {error}", where=str(source.path)) from error
    made = variants(flat, source.crops, flip=options.flip, rotations=options.rotations)
    kept = texts if options.keep_parameters else {}
    return {variant.kind: (png_bytes(variant.image, kept), variant.is_crop) for variant in made}


def flat_original(source: Source, background: str) -> bytes | None:
    """Give a transparent picture on its background, in its own format; None where that has no transparency."""
    kind = _LOSSLESS.get(source.path.suffix.lower())
    if kind is None:
        return None
    with opened(source.path) as image:
        flat = flattened(image, background)
        texts = {str(key): text for key, text in image.info.items() if isinstance(text, str)}
    if kind == "PNG":
        return png_bytes(flat, texts)
    written = BytesIO()
    flat.save(written, format=kind, lossless=True)
    return written.getvalue()
