"""dedupe: finds pictures that are alike, keeps the best of each group and sets the others aside."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kohya_wrap.dataset.captions import caption_of
from kohya_wrap.dataset.history import DatasetPlace, Step, open_step
from kohya_wrap.dataset.verbs.companions import companions
from kohya_wrap.dataset.verbs.dedupe.alike import Embed, EmbeddingLikeness, HashLikeness, Likeness
from kohya_wrap.dataset.verbs.dedupe.fingerprints import fingerprints
from kohya_wrap.dataset.verbs.dedupe.groups import Group, How, Spare, exact_copies, near_groups
from kohya_wrap.dataset.verbs.dedupe.hamming import MAX_RADIUS
from kohya_wrap.dataset.verbs.parallel import Report, in_threads, no_report
from kohya_wrap.dataset.verbs.reading import UNREADABLE, opened
from kohya_wrap.dataset.verbs.sheet import AMBER, GREEN, RED, Block, Cell, draw_sheet, save_png
from kohya_wrap.errors import DatasetError
from kohya_wrap.files import write_whole

if TYPE_CHECKING:
    from PIL.Image import Image

_GROUPS_SHOWN, _SHOWN_OF_GROUP = 80, 16


@dataclass(frozen=True, slots=True)
class DedupeOptions:
    """How alike is alike. `threshold`: bits of 64 by which hashes may differ (0 to 16; 0: exact copies and equal
    hashes); `cosine`: above which embeddings are alike, where they are given. Source of 0.985: the Dataset Maker.
    """

    threshold: int = 6
    cosine: float = 0.985
    mirror: bool = False
    recursive: bool = False
    caption_extension: str = ".txt"


@dataclass(frozen=True, slots=True)
class Deduped:
    """What was found and done. `given`: captions that a kept picture took over; `sheet`: the PNG, if one was drawn."""

    step: Step
    pictures: int
    groups: tuple[Group, ...]
    unreadable: tuple[Path, ...] = ()
    given: tuple[Path, ...] = ()
    sheet: Path | None = None

    @property
    def spares(self) -> tuple[Path, ...]:
        """Give the pictures that went."""
        return tuple(spare.path for group in self.groups for spare in group.spares)


def dedupe(
    place: DatasetPlace,
    options: DedupeOptions | None = None,
    *,
    embed: Embed | None = None,
    sheet: Path | None = None,
    dry_run: bool = False,
    report: Report = no_report,
) -> Deduped:
    """Keep the best of each group of alike pictures (most pixels, then oldest); set the others aside, captions and all.

    Alike are copies byte by byte, and pictures whose hashes (or, with `embed`, embeddings) are within the threshold of
    the kept one's. A kept picture without a caption takes over that of its nearest spare. The groups are drawn into
    `sheet`, else beside the step's record. Raises DatasetError, OutputError, ProjectBusyError.
    """
    options = options or DedupeOptions()
    _check(options)
    with open_step(place, "dedupe", asdict(options), dry_run=dry_run) as step:
        pictures = place.pictures(recursive=options.recursive)
        groups, unreadable = find_groups(pictures, options, embed=embed, report=report)
        drawn = groups_sheet(groups, report=report) if groups and (sheet or not dry_run) else None
        given = _give_captions(step, groups, options.caption_extension)
        spares = [spare.path for group in groups for spare in group.spares]
        for path in [*spares, *companions(spares, options.caption_extension)]:
            step.set_aside(path)
        target = sheet or (step.record.folder / "groups.png" if step.record else None)
        if drawn and target:
            save_png(drawn, target)
        if step.record:
            write_whole(step.record.folder / "groups.json", _as_json(groups))
    return Deduped(step, len(pictures), groups, unreadable, given, target if drawn else None)


def _check(options: DedupeOptions) -> None:
    if not 0 <= options.threshold <= MAX_RADIUS:
        what = f"{options.threshold} is no number of bits from 0 to {MAX_RADIUS}"
        raise DatasetError(what, where="threshold", todo="give 6 for the same picture, 10 for much alike")
    if not 0 < options.cosine <= 1:
        what = f"{options.cosine} is not between 0 and 1"
        raise DatasetError(what, where="cosine", todo="give 0.97 to 0.99")


def find_groups(
    pictures: Sequence[Path], options: DedupeOptions, *, embed: Embed | None = None, report: Report = no_report
) -> tuple[tuple[Group, ...], tuple[Path, ...]]:
    """Find what is alike; give the groups, largest first, and the pictures that cannot be read. Touches nothing."""
    aged = sorted(pictures, key=lambda path: (path.stat().st_mtime_ns, path))
    copies = exact_copies(aged)
    again = {copy for others in copies.values() for copy in others}
    single = [path for path in aged if path not in again]
    sizes, likeness, readable = _look(single, options, embed, report)
    order = sorted(range(len(readable)), key=lambda at: -sizes[at])  # stable: equal ones stay oldest first
    near = near_groups(likeness, order, embedding=embed is not None) if readable else {}
    names = {readable[kept]: [(readable[at], how, far) for at, how, far in found] for kept, found in near.items()}
    spares = {path for found in names.values() for path, _, _ in found}
    kept = [path for path in readable if path in names or (path in copies and path not in spares)]
    groups = [Group(path, tuple(_spares(path, names.get(path, []), copies))) for path in kept]
    known = set(readable)
    unreadable = tuple(sorted(path for path in single if path not in known))
    return tuple(sorted(groups, key=lambda group: (-len(group.spares), group.kept))), unreadable


def _look(
    paths: Sequence[Path], options: DedupeOptions, embed: Embed | None, report: Report
) -> tuple[list[int], Likeness, list[Path]]:
    """Give sizes in pixels, likeness, and which pictures could be read."""
    if embed:
        sizes = list(in_threads(_pixels, paths, label="reading headers", report=report))
        readable = [path for path, size in zip(paths, sizes, strict=True) if size]
        likeness: Likeness = EmbeddingLikeness(embed(readable), cosine=options.cosine)
        return [size for size in sizes if size], likeness, readable
    prints = fingerprints(paths, mirror=options.mirror, report=report)
    seen = [(path, each) for path, each in zip(paths, prints, strict=True) if each]
    likeness = HashLikeness([each for _, each in seen], radius=options.threshold, mirror=options.mirror)
    return [each.pixels for _, each in seen], likeness, [path for path, _ in seen]


def _pixels(path: Path) -> int:
    try:
        with opened(path) as image:
            return image.width * image.height
    except UNREADABLE:
        return 0


def _spares(kept: Path, near: Iterable[tuple[Path, How, float]], copies: dict[Path, list[Path]]) -> Iterable[Spare]:
    yield from (Spare(copy, "exact") for copy in copies.get(kept, []))
    for path, how, distance in near:
        yield from (Spare(each, how, distance) for each in (path, *copies.get(path, [])))


def _give_captions(step: Step, groups: Iterable[Group], extension: str) -> tuple[Path, ...]:
    """Let a kept picture without a caption have that of its nearest spare; a mirror image's may say left for right."""
    given = []
    for group in groups:
        own = caption_of(group.kept, extension)
        theirs = [caption_of(spare.path, extension) for spare in group.spares if spare.how != "mirrored"]
        found = next((path for path in theirs if path.is_file() and path != own), None)
        if extension and found and not own.is_file():
            step.write(own, found.read_bytes())
            given.append(own)
    return tuple(given)


def groups_sheet(groups: Sequence[Group], *, report: Report = no_report) -> "Image":
    """Draw the largest groups: the kept picture framed in green and first, the others with how they differ."""
    spares = sum(len(group.spares) for group in groups)
    title = f"{len(groups)} group{'s' if len(groups) != 1 else ''} of alike pictures"
    below = f"green: kept (most pixels, then oldest)   ·   {spares} set aside"
    if len(groups) > _GROUPS_SHOWN:
        below += f"   ·   the {_GROUPS_SHOWN} largest groups are shown"
    return draw_sheet(title, below, [_block(group) for group in groups[:_GROUPS_SHOWN]], report=report)


def _block(group: Group) -> Block:
    cells = [Cell(group.kept, (group.kept.name, _size_text(group.kept)), GREEN, "kept")]
    shown = group.spares if len(group.spares) < _SHOWN_OF_GROUP else group.spares[: _SHOWN_OF_GROUP - 2]
    for spare in shown:
        frame = RED if spare.how == "exact" else AMBER
        cells.append(Cell(spare.path, (spare.path.name, _size_text(spare.path)), frame, str(spare)))
    if more := len(group.spares) - len(shown):
        cells.append(Cell(None, (f"and {more} more", "")))
    return cells


def _size_text(path: Path) -> str:
    with opened(path) as image:
        return f"{image.width} x {image.height}  {image.format}"


def _as_json(groups: Iterable[Group]) -> str:
    listed = [
        {
            "kept": str(group.kept),
            "set_aside": [
                {"path": str(each.path), "how": each.how, "distance": each.distance} for each in group.spares
            ],
        }
        for group in groups
    ]
    return json.dumps(listed, ensure_ascii=True, indent=1) + "\n"
