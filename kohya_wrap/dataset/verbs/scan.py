"""scan: all that can be known of a dataset before it is trained. Source: the Dataset Maker's "Count datasets"."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kohya_wrap.config import TrainConfig
from kohya_wrap.dataset.buckets import bucket_of
from kohya_wrap.dataset.captions import with_dot
from kohya_wrap.dataset.findings import finding
from kohya_wrap.dataset.folder import Listing, list_folder
from kohya_wrap.dataset.history import DatasetPlace
from kohya_wrap.dataset.pictures import engine_size, look_at
from kohya_wrap.dataset.prepare import prepare
from kohya_wrap.dataset.rules import bucket_rules, rule_findings
from kohya_wrap.dataset.types import BucketRules
from kohya_wrap.dataset.verbs.parallel import Report, in_threads, no_report
from kohya_wrap.errors import DatasetError, Problem
from kohya_wrap.paths import ProjectPaths

Size = tuple[int, int]
"""Width and height in pixels."""
_AT_ONCE = 256
_SQUARE = 0.05
"""How far from 1 the ratio of a square picture may be."""


@dataclass(frozen=True, slots=True)
class FolderCount:
    """How many files of each kind a folder holds; hidden ones are not counted."""

    folder: Path
    pictures: int
    captions: int
    others: int


@dataclass(frozen=True)
class Scanned:
    """What was seen. `sizes`: of every picture whose header can be read, as stored; `findings`: as before a run.

    `silent`: pictures without a caption beside others that have one.
    """

    folder: Path
    rules: BucketRules
    counts: tuple[FolderCount, ...]
    sizes: Mapping[Path, Size]
    findings: tuple[Problem, ...] = ()
    silent: frozenset[Path] = frozenset()

    @cached_property
    def buckets(self) -> dict[Size, list[Path]]:
        """Give the buckets that pictures fall into, the fullest first; empty if the engine refuses the rules."""
        filled: dict[Size, list[Path]] = {}
        if not any(rule_findings(self.rules)):
            for path, size in self.sizes.items():
                filled.setdefault(bucket_of(size, self.rules), []).append(path)
        return dict(sorted(filled.items(), key=lambda item: (-len(item[1]), item[0])))

    @cached_property
    def upscaled(self) -> tuple[Path, ...]:
        """Give the pictures that have fewer pixels than they are trained with."""
        if self.rules.bucket_no_upscale and self.rules.enable_bucket:
            return ()
        width, height = self.rules.resolution
        return tuple(path for path, size in self.sizes.items() if size[0] * size[1] < width * height)

    @cached_property
    def shapes(self) -> Counter[str]:
        """Count portrait, landscape and square pictures."""
        return Counter(_shape(size) for size in self.sizes.values())


def scan(
    place: DatasetPlace,
    config: TrainConfig,
    *,
    recursive: bool = False,
    quick: bool = False,
    report: Report = no_report,
) -> Scanned:
    """Look at a dataset as a run with this config would, and count all folders below it. Touches nothing.

    Headers come first; `quick` leaves it at them: no picture is decoded and no caption read. `recursive`: sub-folders
    are trained too. Raises DatasetError where the folder cannot be read.
    """
    extension = with_dot(config.processing.caption_extension)
    listings = list(_listings(place.folder, extension))
    own = [each for each in listings if each.pictures and (recursive or each.folder == place.folder)]
    pictures = [path for listing in own for path in listing.pictures]
    headers = in_threads(_header, pictures, label="reading headers", report=report)
    sizes = {path: size for path, size in zip(pictures, headers, strict=True) if size}
    findings: tuple[Problem, ...] = ()
    silent: frozenset[Path] = frozenset()
    if not quick:
        for start in range(0, len(pictures), _AT_ONCE):  # remembered, so that `prepare` need not decode again
            look_at(pictures[start : start + _AT_ONCE])
            report("looking at pictures", min(start + _AT_ONCE, len(pictures)), len(pictures))
        folders = [listing.folder for listing in own] or [place.folder]
        found = prepare(_config_for(folders, config), ProjectPaths(place.folder, "scan"))
        findings = tuple(problem for problem in found.findings if not recursive or problem.code != "sub-folder")
        if any(problem.code == "caption-missing" for problem in findings):
            silent = frozenset(picture.source for picture in found.pictures if not picture.caption)
    counts = tuple(_count(listing) for listing in listings)
    return Scanned(place.folder, bucket_rules(config), counts, sizes, findings, silent)


def _listings(folder: Path, extension: str) -> Iterator[Listing]:
    """List a folder and all below it; links to folders are not followed."""
    for at, _, _ in os.walk(folder, onerror=_raise):
        path = Path(at)
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield list_folder(path, extension)


def _raise(error: OSError) -> None:
    where = Path(error.filename)
    missing = isinstance(error, FileNotFoundError | NotADirectoryError)
    problem = finding("folder-missing" if missing else "folder-unreadable", where, f"cannot be read: {error.strerror}")
    raise DatasetError(problem.what, where=problem.where, todo=problem.todo) from error


def _header(path: Path) -> Size | None:
    try:
        return engine_size(path)
    except (OSError, ValueError):  # what is wrong with it is said once it is decoded
        return None


def _count(listing: Listing) -> FolderCount:
    kinds: Sequence[tuple[Path, ...]] = (listing.caches, listing.mixed_case, listing.unknown_pictures, listing.others)
    return FolderCount(listing.folder, len(listing.pictures), len(listing.captions), sum(map(len, kinds)))


def _config_for(folders: Sequence[Path], config: TrainConfig) -> TrainConfig:
    """Give a config that trains these folders as they are, with all else as it was."""
    repeats = config.steps.num_repeats
    subsets = "".join(
        f"[[datasets.subsets]]\nimage_dir = {json.dumps(str(folder), ensure_ascii=False)}\nnum_repeats = {repeats}\n"
        for folder in folders
    )
    extras = type(config.extras)(custom_dataset=f"[[datasets]]\n{subsets}")
    training = config.training.model_copy(update={"adjust_tags": False})
    return config.model_copy(update={"extras": extras, "training": training})


def _shape(size: Size) -> str:
    ratio = size[0] / size[1]
    if abs(ratio - 1) <= _SQUARE:
        return "square"
    return "portrait" if ratio < 1 else "landscape"
