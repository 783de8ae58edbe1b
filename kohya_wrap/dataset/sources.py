"""dataset.images: pictures from elsewhere, to be copied with their captions into the dataset folder."""

import filecmp
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kohya_wrap.dataset.captions import caption_of
from kohya_wrap.dataset.custom import expanded
from kohya_wrap.dataset.demo import BUILTIN, PICTURES
from kohya_wrap.dataset.findings import finding, names
from kohya_wrap.dataset.folder import Listing, is_picture, try_listing, unseen_findings
from kohya_wrap.dataset.types import Copy
from kohya_wrap.errors import Problem

_LINKS = ("http:", "https:", "ftp:", "s3:", "data:")


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
        elif text.lower().startswith(_LINKS):
            sources.findings.append(finding("source-link", "dataset.images", f"{text} is a link"))
        elif "\0" in text:
            sources.findings.append(finding("source-missing", "dataset.images", f"{text} is no path"))
        else:
            _add(sources, root / expanded(text))
    _plan_copies(sources, target, extension)
    sources.findings += _not_named(sources, target)
    return sources


def _add(sources: Sources, path: Path) -> None:
    listing = try_listing(path)
    if isinstance(listing, Listing):
        if not listing.pictures:
            sources.findings.append(finding("folder-empty", path, "holds no picture that the engine reads"))
        # Other files are not copied, so they do not matter here.
        sources.findings += unseen_findings(listing)
        sources.pictures += listing.pictures
    elif listing.code == "folder-unreadable":
        sources.findings.append(listing)
    elif not path.exists():
        hint = "; a pattern is not expanded, a folder is taken whole" if set(path.name) & set("*?") else ""
        sources.findings.append(finding("source-missing", "dataset.images", f"{path} does not exist{hint}"))
    elif is_picture(path):
        sources.pictures.append(path)
    else:
        sources.findings.append(finding("unknown-ending", path, "the engine reads .png .jpg .jpeg .webp .bmp"))


def _plan_copies(sources: Sources, target: Path, extension: str) -> None:
    taken: dict[str, Path] = {}
    for picture in dict.fromkeys(sources.pictures):
        captions = [caption_of(picture, extension)] if extension else []
        for source in (picture, *(caption for caption in captions if caption.is_file())):
            _plan_copy(sources, source, target / source.name, taken)


def _plan_copy(sources: Sources, source: Path, place: Path, taken: dict[str, Path]) -> None:
    other = taken.setdefault(source.name, source)
    if other != source:
        what = f"{other} and {source} would have one name in the dataset folder"
        sources.findings.append(finding("target-differs", "dataset.images", what))
    elif not place.exists():
        sources.copies.append(Copy(source, place))
    elif not _same(source, place):
        sources.findings.append(finding("target-differs", place, f"differs from {source}"))


def _same(source: Path, place: Path) -> bool:
    try:
        return source.samefile(place) or filecmp.cmp(source, place, shallow=False)
    except OSError:  # unreadable: the picture has a finding of its own
        return True


def _not_named(sources: Sources, target: Path) -> Iterator[Problem]:
    named = {picture.name for picture in sources.pictures}
    if sources.builtin:
        named |= {picture.name for picture in PICTURES}
    listing = try_listing(target)
    extra = [path for path in listing.pictures if path.name not in named] if isinstance(listing, Listing) else []
    if extra and named:
        yield finding("not-named", target, f"also holds {names(extra)}, which dataset.images does not name")
