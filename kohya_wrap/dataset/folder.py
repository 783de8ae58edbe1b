"""What lies in a dataset folder, sorted by what the engine makes of it. Only names are looked at."""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.dataset.findings import finding, names
from kohya_wrap.errors import Problem

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
"""What the engine reads, in all-lower or all-upper case. Source: facts, sd-scripts.md section 2.2."""
OTHER_PICTURES = (".gif", ".avif", ".jxl", ".heic", ".heif", ".tif", ".tiff", ".jfif", ".ico", ".svg")
_CAPTIONS = (".txt", ".caption")
_CACHE_INDEX = "metadata_cache.json"


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
    return path.suffix in ENDINGS or path.suffix in tuple(ending.upper() for ending in ENDINGS)


def list_folder(folder: Path) -> Listing:
    """Sort a folder's files by kind; hidden files are left out. Raises OSError."""
    kinds: dict[str, list[Path]] = defaultdict(list)
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                path = folder / entry.name
                kinds["sub_folders" if entry.is_dir() else _kind(path)].append(path)
    return Listing(folder, **{kind: tuple(sorted(paths)) for kind, paths in kinds.items()})


def _kind(path: Path) -> str:
    ending = path.suffix.lower()
    if is_picture(path):
        return "pictures"
    if ending in ENDINGS:
        return "mixed_case"
    if ending in OTHER_PICTURES:
        return "unknown_pictures"
    if ending in _CAPTIONS:
        return "captions"
    return "caches" if ending == ".npz" else "others"


def listing_findings(listing: Listing) -> Iterator[Problem]:
    """Say what in a folder the engine would pass over, or must not find there."""
    for path in listing.mixed_case:
        yield finding("mixed-case-ending", path, f"the engine does not see a file that ends in {path.suffix}")
    for path in listing.unknown_pictures:
        yield finding("unknown-ending", path, f"the engine does not read {path.suffix}")
    for path in listing.others:
        code = "metadata-cache" if path.name == _CACHE_INDEX else "other-file"
        yield finding(code, path, "an index of an earlier run" if code == "metadata-cache" else "is no picture")
    for path in listing.sub_folders:
        if any(is_picture(file) for file in path.rglob("*")):
            yield finding("sub-folder", path, "holds pictures that the engine would not see")
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in listing.pictures:
        by_stem[path.stem].append(path)
    for paths in by_stem.values():
        if len(paths) > 1:
            yield finding("same-stem", listing.folder, f"{names(paths)} have one name and different endings")
