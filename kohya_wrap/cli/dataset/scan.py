"""kohya-wrap dataset scan."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from kohya_wrap.cli.dataset.bar import bar
from kohya_wrap.cli.dataset.options import Extension, Place, Recursive, find_place
from kohya_wrap.cli.options import Root, ending_with
from kohya_wrap.cli.output import print_rows
from kohya_wrap.config import TrainConfig
from kohya_wrap.dataset.findings import shown
from kohya_wrap.dataset.verbs.scan import Scanned
from kohya_wrap.dataset.verbs.scan import scan as look
from kohya_wrap.dataset.verbs.scan_sheet import mean_picture, scan_sheet
from kohya_wrap.dataset.verbs.sheet import save_png
from kohya_wrap.errors import DatasetError, Problem
from kohya_wrap.presets import load

_PNG = ending_with(".png")
_BUCKETS, _NAMES, _FOLDERS, _BAR = 12, 8, 40, 24


def scan(  # noqa: PLR0913, PLR0917 - one line for each option of the verb
    dataset: Place,
    preset: Annotated[str, typer.Option(help="Look at it as this preset would train it.")] = "",
    resolution: Annotated[
        int, typer.Option(help="Training resolution, without a preset (default: 512).", show_default=False)
    ] = 0,
    sheet: Annotated[
        Path | None,
        typer.Option(help="Draw a contact sheet and the mean picture here (.png).", dir_okay=False, callback=_PNG),
    ] = None,
    mean: Annotated[
        Path | None, typer.Option(help="Write the mean picture here (.png).", dir_okay=False, callback=_PNG)
    ] = None,
    quick: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--quick", help="Headers only: counts, sizes and buckets.")
    ] = False,
    recursive: Recursive = False,  # noqa: FBT002 - a flag of the command line
    caption_extension: Extension = ".txt",
    root: Root = None,
) -> None:
    """Count and check the pictures and captions of DATASET; code 11 where a run would stop. Changes nothing."""
    place = find_place(dataset, root)
    config = _config(preset, resolution, caption_extension)
    with bar() as report:
        scanned = look(place, config, recursive=recursive, quick=quick, report=report)
        averaged = mean_picture(list(scanned.sizes), report=report) if sheet or mean else None
        if sheet:
            save_png(scan_sheet(scanned, mean=averaged, report=report), sheet)
        if mean and averaged:
            save_png(averaged, mean)
    _print_counts(scanned)
    print_rows([(label, shown(text)) for label, text in _rows(scanned)])
    for path in (sheet, mean):
        if path and path.is_file():
            typer.echo(f"drawn: {path}")
    _end(scanned)


def _config(preset: str, resolution: int, extension: str) -> TrainConfig:
    if preset:
        overrides = [f"processing.resolution={resolution}"] if resolution else []
        return load(preset, overrides=overrides).config
    if resolution % 64 or resolution < 0:
        raise DatasetError(f"{resolution} is no multiple of 64", where="--resolution", todo="give 512, 640, 768, …")
    processing = {"resolution": resolution or 512, "caption_extension": extension}
    return TrainConfig.model_validate({"setup": {"project_name": "scan"}, "processing": processing})


def _print_counts(scanned: Scanned) -> None:
    """Print a line per folder, as the notebook did."""
    names = {each.folder: shown(str(each.folder.relative_to(scanned.folder.parent))) for each in scanned.counts}
    width = max(len(name) for name in names.values())
    for each in scanned.counts[:_FOLDERS]:
        others = f" | {each.others:>4} other files" if each.others else ""
        typer.echo(f"{names[each.folder]:<{width}} | {each.pictures:>4} pictures | {each.captions:>4} captions{others}")
    if len(scanned.counts) > _FOLDERS:
        typer.echo(f"and {len(scanned.counts) - _FOLDERS} more folders")


def _rows(scanned: Scanned) -> Iterator[tuple[str, str]]:
    if not scanned.sizes:
        return
    sizes = list(scanned.sizes.values())
    low, high = min(sizes, key=_area), max(sizes, key=_area)
    middle = median(map(_area, sizes)) / 1e6
    yield "sizes", f"{low[0]}x{low[1]} to {high[0]}x{high[1]}, median {middle:.2f} megapixels"
    yield "shapes", ", ".join(f"{count} {shape}" for shape, count in scanned.shapes.most_common())
    side = "x".join(map(str, scanned.rules.resolution))
    yield "trained", f"at {side} pixels, in these buckets (repeats not counted)"
    full = max((len(paths) for paths in scanned.buckets.values()), default=1)
    for at, (size, paths) in enumerate(list(scanned.buckets.items())[:_BUCKETS]):
        line = "█" * max(1, round(_BAR * len(paths) / full))
        yield ("buckets" if at == 0 else ""), f"{size[0]:>4}x{size[1]:<4} {line} {len(paths)}"
    if len(scanned.buckets) > _BUCKETS:
        yield "", f"and {len(scanned.buckets) - _BUCKETS} more"
    if scanned.upscaled:
        yield "upscaled", f"{len(scanned.upscaled)}: {_listed([path.name for path in scanned.upscaled])}"


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def _end(scanned: Scanned) -> None:
    """Print each kind of finding once, with the files it is about. Raises Exit with code 11 for errors."""
    kinds: dict[str, list[Problem]] = defaultdict(list)
    for problem in sorted(scanned.findings, key=lambda problem: problem.severity):
        if problem.code != "upscaled":  # has a row of its own
            kinds[problem.code].append(problem)
    for code, problems in kinds.items():
        first = problems[0]
        red = first.severity == "error"
        typer.secho(f"{first.severity} [{code}]", fg=typer.colors.RED if red else typer.colors.YELLOW, nl=False)
        if len(problems) == 1:
            typer.echo(shown(f" {_where(first, scanned.folder)}: {first.what}"))
        else:
            typer.echo(shown(f" {len(problems)}: {_listed([_where(each, scanned.folder) for each in problems])}"))
        typer.echo(f"    → {first.todo}")
    if any(problem.severity == "error" for problem in scanned.findings):
        raise typer.Exit(DatasetError.exit_code)


def _where(problem: Problem, folder: Path) -> str:
    path = Path(problem.where)
    return (
        str(path.relative_to(folder.parent if path == folder else folder))
        if path.is_relative_to(folder)
        else problem.where
    )
