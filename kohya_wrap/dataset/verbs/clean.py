"""clean: sets aside what is no picture; captions and latents stay. Source: the Dataset Maker's "Clean folder"."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from kohya_wrap.dataset.captions import with_dot
from kohya_wrap.dataset.findings import finding
from kohya_wrap.dataset.folder import Listing, list_folder
from kohya_wrap.dataset.history import DatasetPlace, Step, open_step
from kohya_wrap.dataset.pictures import look_at
from kohya_wrap.dataset.verbs.companions import companions
from kohya_wrap.dataset.verbs.parallel import Report, no_report
from kohya_wrap.errors import DatasetError, Problem

BROKEN = ("zero-bytes", "not-a-picture", "truncated", "too-many-pixels")
"""Findings of a picture that cannot be trained, whatever its name says."""
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class CleanOptions:
    """What goes. `broken`: pictures that cannot be read, with their captions; `latents`: .npz that the engine keeps."""

    broken: bool = False
    latents: bool = False
    recursive: bool = False
    caption_extension: str = ".txt"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was set aside, and what was found wrong with pictures. `unseen`: pictures the engine does not read; stay."""

    step: Step
    gone: tuple[Path, ...]
    broken: tuple[Problem, ...] = ()
    unseen: tuple[Path, ...] = ()


def clean(
    place: DatasetPlace, options: CleanOptions | None = None, *, dry_run: bool = False, report: Report = no_report
) -> Cleaned:
    """Set aside every file that is neither picture, caption nor latents; hidden files stay.

    The notebook deleted them, and the captions too. Raises DatasetError, OutputError, ProjectBusyError.
    """
    options = options or CleanOptions()
    with open_step(place, "clean", asdict(options), dry_run=dry_run) as step:
        listings = list(_listings(place.folder, options))
        gone = [path for listing in listings for path in listing.others]
        if options.latents:
            gone += [path for listing in listings for path in listing.caches]
        broken: tuple[Problem, ...] = ()
        if options.broken:
            pictures = [path for listing in listings for path in listing.pictures]
            unreadable = dict(_unreadable(pictures, report))
            broken = tuple(unreadable.values())
            gone += [*unreadable, *companions(unreadable, options.caption_extension)]
        gone = sorted(dict.fromkeys(gone))
        for path in gone:
            step.set_aside(path)
    unseen = [path for listing in listings for path in (*listing.mixed_case, *listing.unknown_pictures)]
    return Cleaned(step, tuple(gone), broken, tuple(unseen))


def _listings(folder: Path, options: CleanOptions) -> Iterator[Listing]:
    try:
        listing = list_folder(folder, with_dot(options.caption_extension))
    except OSError as error:
        problem = finding("folder-unreadable", folder, f"cannot be read: {error.strerror}")
        raise DatasetError(problem.what, where=problem.where, todo=problem.todo) from error
    yield listing
    for sub in listing.sub_folders if options.recursive else ():
        if not sub.is_symlink():  # what a link leads to is not of this dataset
            yield from _listings(sub, options)


def _unreadable(pictures: list[Path], report: Report) -> Iterator[tuple[Path, Problem]]:
    for start in range(0, len(pictures), _AT_ONCE):
        some = pictures[start : start + _AT_ONCE]
        for path, look in zip(some, look_at(some), strict=True):
            yield from ((path, found) for found in look.findings if found.code in BROKEN)
        report("looking at pictures", start + len(some), len(pictures))
