"""dataset.images: pictures from elsewhere, to be copied with their captions into the dataset folder."""

import filecmp
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kohya_wrap.dataset.captions import caption_of
from kohya_wrap.dataset.demo import BUILTIN, PICTURES
from kohya_wrap.dataset.findings import finding, names
from kohya_wrap.dataset.folder import is_picture, list_folder, listing_findings
from kohya_wrap.dataset.types import Copy
from kohya_wrap.errors import Problem


@dataclass(slots=True)
class Sources:
    """What dataset.images names: `pictures` where they lie now, what will be copied, and what is wrong with it."""

    pictures: list[Path] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    findings: list[Problem] = field(default_factory=list)
    builtin: bool = False


def named_sources(images: str | Sequence[str], *, root: Path, target: Path, extension: str) -> Sources:
    """Resolve dataset.images against `root`; reads folders, copies nothing."""
    sources = Sources()
    for text in (images,) if isinstance(images, str) else images:
        if text == BUILTIN:
            sources.builtin = True
        else:
            _add(sources, root / Path(text).expanduser())
    _plan_copies(sources, target, extension)
    sources.findings += _not_named(sources, target)
    return sources


def _add(sources: Sources, path: Path) -> None:
    if path.is_dir():
        try:
            listing = list_folder(path)
        except OSError as error:
            sources.findings.append(finding("folder-unreadable", path, f"cannot be read: {error.strerror}"))
            return
        if not listing.pictures:
            sources.findings.append(finding("folder-empty", path, "holds no picture that the engine reads"))
        sources.findings += listing_findings(listing)
        sources.pictures += listing.pictures
    elif not path.exists():
        sources.findings.append(finding("source-missing", "dataset.images", f"{path} does not exist"))
    elif is_picture(path):
        sources.pictures.append(path)
    else:
        sources.findings.append(finding("unknown-ending", path, "the engine reads .png .jpg .jpeg .webp .bmp"))


def _plan_copies(sources: Sources, target: Path, extension: str) -> None:
    taken: dict[str, Path] = {}
    for picture in sources.pictures:
        captions = [caption_of(picture, extension)] if extension else []
        for source in (picture, *(caption for caption in captions if caption.is_file())):
            other = taken.setdefault(source.name, source)
            place = target / source.name
            if other != source:
                what = f"{other} and {source} would have one name in the dataset folder"
                sources.findings.append(finding("target-differs", "dataset.images", what))
            elif place.exists() and not filecmp.cmp(source, place, shallow=False):
                sources.findings.append(finding("target-differs", place, f"differs from {source}"))
            elif not place.exists() and place != source:
                sources.copies.append(Copy(source, place))


def _not_named(sources: Sources, target: Path) -> Iterator[Problem]:
    if not target.is_dir():
        return
    named = {picture.name for picture in sources.pictures}
    if sources.builtin:
        named |= {picture.name for picture in PICTURES}
    extra = [path for path in list_folder(target).pictures if path.name not in named]
    if extra and named:
        yield finding("not-named", target, f"also holds {names(extra)}, which dataset.images does not name")
