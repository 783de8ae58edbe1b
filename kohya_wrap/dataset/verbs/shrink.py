"""shrink: a copy of a dataset with smaller files. Source: the Dataset Maker's "Reduce dataset filesize"."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kohya_wrap.dataset.folder import is_picture
from kohya_wrap.dataset.history import DatasetPlace, Step, open_step
from kohya_wrap.dataset.verbs.companions import companions
from kohya_wrap.dataset.verbs.parallel import Report, in_threads, no_report
from kohya_wrap.dataset.verbs.reading import UNREADABLE, flattened, opened
from kohya_wrap.errors import DatasetError

if TYPE_CHECKING:
    from PIL.Image import Image

PictureFormat = Literal["jpeg", "webp", "png"]
_ENDINGS = {"JPEG": (".jpg", ".jpeg"), "WEBP": (".webp",), "PNG": (".png",)}


@dataclass(frozen=True, slots=True)
class ShrinkOptions:
    """What the copies are like. Defaults are the notebook's: JPEG at quality 95, halved above 2,000,000 bytes.

    `max_side`: longest side in pixels, 0 for any; `halve_above`: bytes, 0 for never; `quality` 1 to 100, not of PNG;
    `background`: what transparent places become.
    """

    format: PictureFormat = "jpeg"
    quality: int = 95
    max_side: int = 0
    halve_above: int = 2_000_000
    background: str = "white"
    recursive: bool = False
    caption_extension: str = ".txt"


@dataclass(slots=True)
class Shrunk:
    """What was copied. Sizes in bytes, of pictures; `unreadable` were copied as they are."""

    step: Step
    target: Path
    before: int = 0
    after: int = 0
    made: int = 0
    copied: int = 0
    unreadable: list[Path] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Small:
    """A picture's new content; None where the old file is as good."""

    data: bytes | None
    readable: bool = True


def shrink(
    place: DatasetPlace,
    target: Path,
    options: ShrinkOptions | None = None,
    *,
    dry_run: bool = False,
    report: Report = no_report,
) -> Shrunk:
    """Write a copy of the dataset, captions and all, into an empty or new folder; the dataset itself stays as it is.

    A picture that would not become smaller, or cannot be read, is copied as it is. Pictures are turned upright.
    Raises DatasetError, OutputError, ProjectBusyError.
    """
    options, target = options or ShrinkOptions(), target.absolute()
    _check(options, place, target)
    with open_step(place, "shrink", {**asdict(options), "target": str(target)}, dry_run=dry_run) as step:
        pictures = place.pictures(recursive=options.recursive)
        done = Shrunk(step, target)
        smalls = in_threads(partial(_small, options=options), pictures, label="shrinking", report=report)
        taken: set[str] = set()
        for path, small in zip(pictures, smalls, strict=True):
            ending = path.suffix if small.data is None else f".{options.format}"
            if small.data is None and small.readable and path.suffix.lower() == ".jpg":
                ending = ".jpeg"  # as the notebook names them
            new = _free(target / path.relative_to(place.folder).with_suffix(ending), taken)
            _put(done, path, new, small)
            for beside in _beside(path, options.caption_extension):
                step.add(beside, new.with_suffix(beside.suffix))
    return done


def _check(options: ShrinkOptions, place: DatasetPlace, target: Path) -> None:
    from PIL import ImageColor  # noqa: PLC0415 - only a dataset needs Pillow

    folder = place.folder.resolve()
    if target.resolve().is_relative_to(folder) or folder.is_relative_to(target.resolve()):
        todo = "name a folder beside it: the dataset itself is never changed"
        raise DatasetError("the copy cannot lie inside of the dataset or around it", where=str(target), todo=todo)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DatasetError("is not an empty folder", where=str(target), todo="name a new one")
    if not 1 <= options.quality <= 100 or options.max_side < 0 or options.halve_above < 0:
        what = f"quality {options.quality}, max_side {options.max_side}, halve_above {options.halve_above}"
        raise DatasetError(f"cannot be: {what}", todo="give a quality from 1 to 100, and sizes of 0 or more")
    try:
        ImageColor.getrgb(options.background)
    except ValueError as error:
        todo = "give a name or #rrggbb"
        raise DatasetError(f"{options.background!r} is no colour", where="background", todo=todo) from error


def _put(done: Shrunk, path: Path, new: Path, small: _Small) -> None:
    size = path.stat().st_size
    done.before += size
    if small.data is None:
        done.step.add(path, new)
        done.copied += 1
        done.after += size
    else:
        done.step.write(new, small.data)
        done.made += 1
        done.after += len(small.data)
    if not small.readable:
        done.unreadable.append(path)


def _free(path: Path, taken: set[str]) -> Path:
    """Give a name whose stem no other copy has: a.png and a.jpg become a.jpeg and a-2.jpeg, each with the caption."""
    stem, number = path.stem, 1
    while str(path.with_suffix("")).casefold() in taken:
        number += 1
        path = path.with_stem(f"{stem}-{number}")
    taken.add(str(path.with_suffix("")).casefold())
    return path


def _beside(path: Path, extension: str) -> Iterable[Path]:
    """Give a picture's captions and notes, those too that it shares; latents are of the old size."""
    same = [file for file in path.parent.glob("*") if file.stem == path.stem and is_picture(file)]
    return (file for file in companions(same, extension) if file.suffix != ".npz")


def _small(path: Path, *, options: ShrinkOptions) -> _Small:
    size = path.stat().st_size
    kind = options.format.upper()
    try:
        with opened(path) as image:
            fits = not options.max_side or max(image.size) <= options.max_side
            light = not options.halve_above or size <= options.halve_above
            if fits and light and image.format == kind and path.suffix.lower() in _ENDINGS[kind]:
                return _Small(None)
            profile = image.info.get("icc_profile") if image.mode != "CMYK" else None
            whole = flattened(image, options.background)
    except UNREADABLE:
        return _Small(None, readable=False)
    picture = _within(whole, options.max_side)
    data = _encoded(picture, options, profile)
    if options.halve_above and len(data) > options.halve_above:
        picture = _within(picture, max(picture.size) // 2)
        data = _encoded(picture, options, profile)
    return _Small(None) if len(data) >= size and picture is whole else _Small(data)


def _within(image: "Image", side: int) -> "Image":
    """Give the picture no longer than `side`; itself if it is not, or for 0."""
    from PIL import Image  # noqa: PLC0415 - only a dataset needs Pillow

    if not side or max(image.size) <= side:
        return image
    factor = side / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _encoded(image: "Image", options: ShrinkOptions, profile: bytes | None) -> bytes:
    data = BytesIO()
    if options.format == "png":
        image.save(data, "PNG", optimize=True, icc_profile=profile)
    else:
        image.save(data, options.format.upper(), quality=options.quality, icc_profile=profile)
    return data.getvalue()
