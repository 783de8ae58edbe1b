"""dataset.images: pictures from elsewhere, to be copied with their captions into the dataset folder."""

import filecmp
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from kohya_wrap.dataset.captions import caption_of
from kohya_wrap.dataset.demo import BUILTIN, PICTURES
from kohya_wrap.dataset.findings import finding, names
from kohya_wrap.dataset.folder import Listing, is_picture, try_listing, unseen_findings
from kohya_wrap.dataset.types import Copy, RemotePicture
from kohya_wrap.dataset.verbs.expand.options import ExpandOptions
from kohya_wrap.dataset.verbs.expand.run import is_variant
from kohya_wrap.errors import Problem
from kohya_wrap.files import sha256_file
from kohya_wrap.paths import expanded

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_LINKS = ("http:", "https:", "ftp:", "s3:", "data:")


@dataclass(slots=True)
class Sources:
    """What dataset.images names: `pictures` where they lie now, what will be copied, and what is wrong with it.

    `differing`: files, each with the other one that has its place in the dataset folder.
    """

    pictures: list[Path] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    links: list[RemotePicture] = field(default_factory=list)
    differing: list[tuple[Path, Path]] = field(default_factory=list)
    findings: list[Problem] = field(default_factory=list)
    builtin: bool = False


def named_sources(
    images: str | Sequence[str], *, root: Path, target: Path, extension: str, keep_captions: bool = False
) -> Sources:
    """Resolve dataset.images against `root`; reads folders, copies nothing.

    `keep_captions`: those in the dataset folder have been rewritten on purpose, and may differ from the sources'.
    """
    sources = Sources()
    for text in (images,) if isinstance(images, str) else images:
        if text == BUILTIN:
            sources.builtin = True
        elif text.lower().startswith(_LINKS):
            _add_link(sources, text, target)
        elif "\0" in text:
            sources.findings.append(finding("source-missing", "dataset.images", f"{text} is no path"))
        else:
            _add(sources, root / expanded(text))
    _plan_copies(sources, target, extension, keep_captions=keep_captions)
    sources.findings += _differing(sources, target)
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


def _add_link(sources: Sources, text: str, target: Path) -> None:
    """Take a link to a picture, with its hash behind #sha256=; what was fetched before is not fetched again."""
    parts = urlsplit(text)
    name = unquote(PurePosixPath(parts.path).name)
    given, _, sha256 = parts.fragment.partition("=")
    if parts.scheme not in {"http", "https"} or not is_picture(Path(name)) or "/" in name or "\0" in name:
        sources.findings.append(finding("source-link", "dataset.images", f"{text} is no link to a picture"))
    elif parts.fragment and not (given == "sha256" and _SHA256.fullmatch(sha256)):
        sources.findings.append(finding("source-link", "dataset.images", f"#{parts.fragment} is no #sha256=…"))
    elif not (target / name).exists():
        sources.links.append(RemotePicture(text.partition("#")[0], target / name, sha256.lower()))
    elif sha256 and sha256_file(target / name) != sha256.lower():
        sources.findings.append(finding("target-differs", target / name, f"differs from {text}"))
    else:
        sources.pictures.append(target / name)


def _plan_copies(sources: Sources, target: Path, extension: str, *, keep_captions: bool) -> None:
    taken: dict[str, Path] = {}
    for picture in dict.fromkeys(sources.pictures):
        _plan_copy(sources, picture, target / picture.name, taken)
        caption = caption_of(picture, extension) if extension else picture
        place = target / caption.name
        if caption != picture and caption.is_file() and not (keep_captions and place.is_file()):
            _plan_copy(sources, caption, place, taken)


def _plan_copy(sources: Sources, source: Path, place: Path, taken: dict[str, Path]) -> None:
    other = taken.setdefault(source.name, source)
    if other != source:
        what = f"{other} and {source} would have one name in the dataset folder"
        sources.findings.append(finding("target-differs", "dataset.images", what))
    elif not place.exists():
        sources.copies.append(Copy(source, place))
    elif not _same(source, place):
        sources.differing.append((source, place))


def _differing(sources: Sources, target: Path) -> Iterator[Problem]:
    """Say in one finding which files are others by now: captions that were curated are as many as pictures."""
    if len(sources.differing) == 1:
        source, place = sources.differing[0]
        yield finding("target-differs", place, f"differs from {source}")
    elif sources.differing:
        what = f"{names([place for _, place in sources.differing])} differ from those that dataset.images names"
        yield finding("target-differs", target, what)


def _same(source: Path, place: Path) -> bool:
    try:
        return source.samefile(place) or filecmp.cmp(source, place, shallow=False)
    except OSError:  # unreadable: the picture has a finding of its own
        return True


def _not_named(sources: Sources, target: Path) -> Iterator[Problem]:
    named = {picture.name for picture in sources.pictures} | {link.target.name for link in sources.links}
    if sources.builtin:
        named |= {picture.name for picture in PICTURES}
    listing = try_listing(target)
    pictures = listing.pictures if isinstance(listing, Listing) else ()
    stems = {(target, Path(name).stem) for name in named}
    kinds = ExpandOptions().kinds()
    extra = [path for path in pictures if path.name not in named and not is_variant(path, stems, kinds)]
    if extra and named:
        yield finding("not-named", target, f"also holds {names(extra)}, which dataset.images does not name")
