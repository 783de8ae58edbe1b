"""What lies in a dataset folder, sorted by what the engine makes of it. Only names are looked at."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.dataset.findings import finding, names
from kohya_wrap.errors import Problem

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
"""What the engine reads, in all-lower or all-upper case. Source: facts, sd-scripts.md section 2.2."""
OTHER_PICTURES = (".gif", ".avif", ".jxl", ".heic", ".heif", ".tif", ".tiff", ".jfif", ".ico", ".svg")
_CAPTIONS = (".txt", ".caption")
_CACHE_INDEX = "metadata_cache.json"
_READ = frozenset(ENDINGS) | {ending.upper() for ending in ENDINGS}


@dataclass(frozen=True, slots=True)
class Listing:
    """A folder's files by kind, each sorted by name. `pictures`: those that the engine will read."""

    folder: Path
    pictures: tuple[Path, ...] = ()
    captions: tuple[Path, ...] = ()
    caches: tuple[Path, ...] = ()
    mixed_case: tuple[Path, ...] = ()
    unknown_pictures: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()
    sub_folders: tuple[Path, ...] = ()


def is_picture(path: Path) -> bool:
    """Whether the engine reads a file of this name."""
    return path.suffix in _READ


def list_folder(folder: Path, extension: str = "") -> Listing:
    """Sort a folder's files by kind; hidden files are left out. `extension`: of captions. Raises OSError."""
    kinds: dict[str, list[Path]] = defaultdict(list)
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                path = folder / entry.name
                kinds["sub_folders" if _is_folder(entry) else _kind(path, extension)].append(path)
    return Listing(folder, **{kind: tuple(sorted(paths)) for kind, paths in kinds.items()})


def try_listing(folder: Path, extension: str = "") -> Listing | Problem:
    """List a folder, or say why it cannot be."""
    try:
        return list_folder(folder, extension)
    except FileNotFoundError:
        return finding("folder-missing", folder, "does not exist")
    except NotADirectoryError:
        return finding("folder-missing", folder, "is no folder")
    except OSError as error:
        return finding("folder-unreadable", folder, f"cannot be read: {error.strerror}")


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself, or to where one may not look: seen again when it is opened
        return False


def _kind(path: Path, extension: str) -> str:
    ending = path.suffix.lower()
    if is_picture(path):
        return "pictures"
    if extension and path.name.endswith(extension):
        return "captions"
    if ending in ENDINGS:
        return "mixed_case"
    if ending in OTHER_PICTURES:
        return "unknown_pictures"
    if ending in _CAPTIONS:
        return "captions"
    return "caches" if ending == ".npz" else "others"


def listing_findings(listing: Listing) -> Iterator[Problem]:
    """Say what in a folder the engine would pass over, or must not find there."""
    yield from unseen_findings(listing)
    for path in listing.others:
        code = "metadata-cache" if path.name == _CACHE_INDEX else "other-file"
        yield finding(code, path, "an index of an earlier run" if code == "metadata-cache" else "is no picture")
    for path in listing.sub_folders:
        if is_picture(path):
            yield finding("not-a-picture", path, "is a folder, which the engine takes for a picture by its name")


def unseen_findings(listing: Listing) -> Iterator[Problem]:
    """Say which pictures of a folder the engine would not see."""
    for path in listing.mixed_case:
        yield finding("mixed-case-ending", path, f"the engine does not see a file that ends in {path.suffix}")
    for path in listing.unknown_pictures:
        yield finding("unknown-ending", path, f"the engine does not read {path.suffix}")
    for path in listing.sub_folders:
        if any(is_picture(file) for file in path.rglob("*")):
            yield finding("sub-folder", path, "holds pictures that the engine would not see")


def name_findings(folder: Path, pictures: Iterable[Path]) -> Iterator[Problem]:
    """Say which names of pictures clash, or cannot be written down."""
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in pictures:
        by_stem[path.stem].append(path)
        try:
            path.name.encode()
        except UnicodeEncodeError:
            yield finding("name-not-utf8", path, "has a name that is not UTF-8")
    for paths in by_stem.values():
        if len(paths) > 1:
            yield finding("same-stem", folder, f"{names(paths)} have one name and different endings")
