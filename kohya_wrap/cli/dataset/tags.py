"""kohya-wrap dataset tags."""

import json
from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.cli.dataset.options import DryRun, Extension, Place, find_place
from kohya_wrap.cli.options import Root
from kohya_wrap.cli.output import printable
from kohya_wrap.dataset.findings import shown
from kohya_wrap.dataset.history import DatasetPlace
from kohya_wrap.dataset.tag_text import split_tags
from kohya_wrap.dataset.verbs import tags as verb
from kohya_wrap.dataset.verbs.tag_chart import MOST_BARS, draw_tags
from kohya_wrap.errors import DatasetError, OutputError

_SHOWN = 10


def tags(  # noqa: PLR0913 - one line for each option of the verb
    dataset: Place,
    *,
    root: Root = None,
    top: Annotated[int, typer.Option(help="How many tags to show; 0: all.", min=0)] = 50,
    pair: Annotated[str, typer.Option(help="Two tags: how many files have both.", metavar="TAG, TAG")] = "",
    together_with: Annotated[str, typer.Option(help="The tags that are most often beside this one.")] = "",
    files_with: Annotated[str, typer.Option(help="List the files that have this tag.")] = "",
    chart: Annotated[Path | None, typer.Option(help="Draw a bar chart (.png or .svg) here.", dir_okay=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    caption_extension: Extension = ".txt",
    recursive: Annotated[bool, typer.Option(help="Sub-folders too, as in the notebook.")] = True,
    dry_run: DryRun = False,
) -> None:
    """Count the tags of DATASET: in how many files each is, which go together, which files have one."""
    place = find_place(dataset, root)
    found = verb.count_tags(place, verb.TagsOptions(caption_extension, recursive))
    pairs = _pair(found, pair)
    if as_json:
        typer.echo(json.dumps(_content(found, place, top, pairs, together_with, files_with), ensure_ascii=False))
    else:
        _print(found, place, top, pairs, together_with, files_with)
    if chart and not dry_run:
        _draw(found, place, top, chart)


def _pair(found: verb.TagCounts, text: str) -> verb.Pair | None:
    two = split_tags(text)
    if text and len(two) != 2:
        raise DatasetError(f"{text!r} is not two tags", where="--pair", todo='write --pair "first, second"')
    return found.pair(*two) if two else None


def _content(
    found: verb.TagCounts, place: DatasetPlace, top: int, pair: verb.Pair | None, beside: str, wanted: str
) -> dict[str, object]:
    content: dict[str, object] = {"files": len(found.tags), "tags": len(found.counts), "counts": found.top(top)}
    if pair:
        content["pair"] = {
            "tags": [pair.first, pair.second],
            "files": [pair.with_first, pair.with_second],
            "both": pair.with_both,
        }
    if beside:
        content["together_with"] = {beside: found.together_with(beside, top)}
    if wanted:
        content["files_with"] = {wanted: [str(path.relative_to(place.folder)) for path in found.files_with(wanted)]}
    return content


def _print(
    found: verb.TagCounts, place: DatasetPlace, top: int, pair: verb.Pair | None, beside: str, wanted: str
) -> None:
    if pair:
        typer.echo(
            f"{printable(pair.first)}: {pair.with_first} files; {printable(pair.second)}: {pair.with_second};"
            f" both: {pair.with_both}"
        )
    if beside:
        typer.echo(f"{found.counts.get(beside, 0)} files have {printable(beside)}; beside it stand")
        _print_counts(found.together_with(beside, top))
    if wanted:
        for path in found.files_with(wanted):
            typer.echo(shown(str(path.relative_to(place.folder))))
    if pair or beside or wanted:
        return
    first = found.top(top)
    head = f", the {len(first)} most frequent" if len(first) < len(found.counts) else ""
    repeated = f"; {found.repeated} stand twice in a file" if found.repeated else ""
    typer.echo(f"{len(found.tags)} caption files, {len(found.counts)} tags{head}{repeated}")
    _print_counts(first)


def _print_counts(counts: dict[str, int]) -> None:
    width = len(str(max(counts.values(), default=0)))
    for tag, count in counts.items():
        typer.echo(f"  {count:>{width}}  {printable(tag)}".replace("\n", " "))


def _draw(found: verb.TagCounts, place: DatasetPlace, top: int, chart: Path) -> None:
    if chart.absolute().resolve().is_relative_to(place.folder.resolve()):
        raise OutputError("is in the dataset, where it would be trained on", where=str(chart), todo="put it elsewhere")
    title = f"Tags of {place.folder.parent.name if place.folder.name == 'dataset' else place.folder.name}"
    drawn = draw_tags(found.top(top or MOST_BARS), chart, title=title, files=len(found.tags))
    typer.echo(f"chart: {drawn.path}", err=True)
    if drawn.missing:
        letters = f"{drawn.missing[:_SHOWN]}{'…' if len(drawn.missing) > _SHOWN else ''}"
        todo = "install one that has them, for example Noto Sans CJK JP"
        typer.echo(f"no installed font has {letters}, which are drawn as boxes: {todo}", err=True)
