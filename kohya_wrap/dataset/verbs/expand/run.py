"""Expand a dataset: look at every picture first, then make the new ones, in one step that can be undone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kohya_wrap.dataset.captions import caption_of
from kohya_wrap.dataset.history import DatasetPlace, Step, open_step, read_steps
from kohya_wrap.dataset.history.journal import read_changes
from kohya_wrap.dataset.verbs.expand.captions import followed
from kohya_wrap.dataset.verbs.expand.options import ExpandOptions, asked, check, target_of
from kohya_wrap.dataset.verbs.expand.preview import draw_preview
from kohya_wrap.dataset.verbs.expand.render import Source, flat_original, look, rendered
from kohya_wrap.dataset.verbs.expand.subsets import balanced_repeats
from kohya_wrap.dataset.verbs.parallel import Report, in_threads, no_report
from kohya_wrap.errors import DatasetError, Problem


@dataclass(frozen=True, slots=True)
class Expanded:
    """`sources`: what was expanded, with its crops; `repeats`: num_repeats that keep an epoch as long as before.

    `repeats` is by sub-folder, "" the dataset's own. `untouched`: transparent originals that were left as they are.
    """

    step: Step
    sources: tuple[Source, ...]
    proposed: bool
    repeats: Mapping[str, int]
    untouched: int = 0
    preview: Path | None = None


def expand(
    place: DatasetPlace,
    options: ExpandOptions,
    *,
    preview: Path | None = None,
    dry_run: bool = False,
    report: Report = no_report,
) -> Expanded:
    """Make new pictures from a dataset's own, beside them, as PNG, with captions; made ones are not expanded again.

    The preview is drawn to `preview`, else beside the step's record where crops were proposed. Pictures that cannot
    be read, boxes outside of a picture and names that are taken are all told before anything is changed. Raises
    DatasetError, OutputError, DiskFullError, ProjectBusyError.
    """
    check(options)
    with open_step(place, "expand", asked(options), dry_run=dry_run) as step:
        made = _made_before(place)
        paths = _chosen(place, options, made)
        looks = list(in_threads(partial(look, options=options), paths, label="looking", report=report))
        problems = [each for each in looks if isinstance(each, Problem)]
        sources = tuple(each for each in looks if isinstance(each, Source))
        problems += _taken(sources, options, made)
        if problems:
            raise DatasetError.of(problems, what="nothing was changed")
        for source, pictures in zip(
            sources,
            in_threads(partial(rendered, options=options), sources, label="expanding", report=report),
            strict=True,
        ):
            _write(step, source, pictures, options)
        proposed = options.crop and not options.boxes
        target = preview or (step.record.folder / "preview.png" if proposed and step.record else None)
        if target and sources:
            draw_preview(sources, options, target)
    untouched = 0 if options.background else sum(source.transparent for source in sources)
    return Expanded(step, sources, proposed, _repeats(place, options, sources), untouched, target)


def _made_before(place: DatasetPlace) -> frozenset[Path]:
    """Give the files that earlier steps of this verb made."""
    steps = [step for step in read_steps(place.history) if step.verb == "expand" and step.state != "undone"]
    return frozenset(change.path for step in steps for change in read_changes(step) if change.kind == "created")


def _chosen(place: DatasetPlace, options: ExpandOptions, made: frozenset[Path]) -> list[Path]:
    """List the pictures to expand; what this verb made, also in a copy of the dataset, is left out."""
    every = place.pictures(recursive=options.recursive)
    stems = {(path.parent, path.stem) for path in every}
    found = [path for path in every if path not in made and not is_variant(path, stems, options.kinds())]
    missing = sorted(set(options.pictures) - {path.name for path in found})
    if missing or not found:
        names = ", ".join(path.name for path in found[:5])
        what = f"has no picture to expand named {', '.join(missing)}" if missing else "has no picture to expand"
        raise DatasetError(what, where=str(place.folder), todo=f"it has {names}" if names else "add one")
    return [path for path in found if path.name in options.pictures] if options.pictures else found


def is_variant(path: Path, stems: set[tuple[Path, str]], kinds: Sequence[str]) -> bool:
    """Whether a picture's name is another one's with the end of a kind, beside it or in the folder above."""
    folders = (path.parent, path.parent.parent)
    names = [path.stem.removesuffix(f"-{kind}") for kind in kinds if path.stem.endswith(f"-{kind}")]
    return any((folder, name) in stems for folder in folders for name in names)


def _taken(sources: Sequence[Source], options: ExpandOptions, made: frozenset[Path]) -> Iterator[Problem]:
    """Say which new names two pictures would share, and which are those of files that this verb did not make."""
    pictures = Counter(target_of(source.path, kind, options) for source in sources for kind in options.kinds())
    for path, count in pictures.items():
        if count > 1:
            yield Problem(str(path), "would be made from two pictures of one name", "rename one of them")
        for file in (path, caption_of(path, options.caption_extension)):
            if file.exists() and file not in made and not options.replace:
                yield Problem(str(file), "is there already, and not by expand", "move it away, or give --replace")


def _write(step: Step, source: Source, pictures: Mapping[str, tuple[bytes, bool]], options: ExpandOptions) -> None:
    if options.background and source.transparent and (data := flat_original(source, options.background)):
        step.write(source.path, data)
    for kind, (data, is_crop) in pictures.items():
        target = target_of(source.path, kind, options)
        step.write(target, data)
        if source.caption is not None:
            drops, adds = (options.crop_drops, options.crop_adds) if is_crop else ((), ())
            text = followed(source.caption, drops=drops, adds=adds)
            step.write(caption_of(target, options.caption_extension), text)


def _repeats(place: DatasetPlace, options: ExpandOptions, sources: Sequence[Source]) -> dict[str, int]:
    """Give num_repeats by sub-folder, so that an epoch shows as many pictures as the originals did."""
    kinds, count = options.kinds(), len(sources)
    if options.subsets:
        return balanced_repeats({"": count, **dict.fromkeys(kinds, count)}, options.num_repeats)
    made = {target_of(source.path, kind, options) for source in sources for kind in kinds}
    every = made.union(place.pictures(recursive=options.recursive))
    return {"": max(1, int(count * options.num_repeats / len(every) + 0.5))}
