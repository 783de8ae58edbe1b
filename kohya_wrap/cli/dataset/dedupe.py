"""kohya-wrap dataset dedupe."""

from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.cli.dataset.bar import bar
from kohya_wrap.cli.dataset.fetching import fetch_repo_file
from kohya_wrap.cli.dataset.options import DryRun, Extension, Place, Recursive, counted, find_place, print_step
from kohya_wrap.cli.options import Root, ending_with
from kohya_wrap.dataset.findings import shown
from kohya_wrap.dataset.taggers import open_taggers
from kohya_wrap.dataset.verbs.dedupe import Deduped, DedupeOptions, Embed, embeddings_of, tagger_embed
from kohya_wrap.dataset.verbs.dedupe import dedupe as remove_copies
from kohya_wrap.dataset.verbs.parallel import Report
from kohya_wrap.errors import DatasetError

_BITS, _COSINE = DedupeOptions().threshold, DedupeOptions().cosine
_SHOWN = 10


def dedupe(  # noqa: PLR0913, PLR0917 - one line for each option of the verb
    dataset: Place,
    threshold: Annotated[
        float | None,
        typer.Option(
            help=f"How alike: bits of 64 that may differ (default {_BITS}; 0 to 16), or with --tagger or --embeddings"
            f" the cosine (default {_COSINE})."
        ),
    ] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Mirror images are alike too.")] = False,  # noqa: FBT002 - a flag
    tagger: Annotated[
        str, typer.Option(help="Compare by a tagger's embeddings: what `dataset tag --tagger` takes, but for both.")
    ] = "",
    embeddings: Annotated[
        Path | None,
        typer.Option(
            help="Compare by a model's embeddings: an .npz with `names` and `embeddings` (N x D).", dir_okay=False
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            help="Where to draw the groups, a .png (default: beside the step's record).",
            dir_okay=False,
            callback=ending_with(".png"),
        ),
    ] = None,
    recursive: Recursive = False,  # noqa: FBT002 - a flag
    caption_extension: Extension = ".txt",
    root: Root = None,
    dry_run: DryRun = False,  # noqa: FBT002 - a flag
) -> None:
    """Keep the best of each group of alike pictures in DATASET, and set the others aside with their captions."""
    place = find_place(dataset, root)
    by_model = bool(tagger or embeddings)
    if tagger and embeddings:
        raise DatasetError("is given beside --embeddings", where="--tagger", todo="give one of them")
    options = DedupeOptions(
        threshold=_BITS if by_model else _bits(threshold),
        cosine=threshold if by_model and threshold is not None else _COSINE,
        mirror=mirror,
        recursive=recursive,
        caption_extension=caption_extension,
    )
    with bar() as report:
        embed = _embed(tagger, report) if tagger else embeddings_of(embeddings, place.folder) if embeddings else None
        done = remove_copies(place, options, embed=embed, sheet=sheet, dry_run=dry_run, report=report)
    _print(done, place.folder)


def _embed(tagger: str, report: Report) -> Embed:
    found = open_taggers(tagger, fetch_repo_file)
    if len(found) != 1:
        raise DatasetError("is more than one tagger", where=f"--tagger {tagger}", todo="give one of them")
    typer.echo(f"{found[0].name} on {found[0].provider}")
    return tagger_embed(found[0], report=report)


def _bits(threshold: float | None) -> int:
    if threshold is None:
        return _BITS
    if threshold != int(threshold):
        todo = "give bits from 0 to 16, or --embeddings with a cosine"
        raise DatasetError(f"{threshold} is no whole number of bits", where="--threshold", todo=todo)
    return int(threshold)


def _print(done: Deduped, folder: Path) -> None:
    kept = done.pictures - len(done.spares)
    groups = f"{counted(len(done.groups), 'groups')} of alike ones"
    typer.echo(f"{counted(done.pictures, 'pictures')}, {groups}, {kept} kept")
    for group in done.groups[:_SHOWN]:
        others = ", ".join(f"{spare.path.relative_to(folder)} ({spare})" for spare in group.spares[:3])
        more = f" and {len(group.spares) - 3} more" if len(group.spares) > 3 else ""
        typer.echo(shown(f"  {group.kept.relative_to(folder)} ← {others}{more}"))
    if len(done.groups) > _SHOWN:
        typer.echo(f"  and {len(done.groups) - _SHOWN} more groups")
    for path in done.given:
        typer.echo(shown(f"  {path.relative_to(folder)} taken over from a spare"))
    for path in done.unreadable:
        name = shown(str(path.relative_to(folder)))
        typer.echo(f"  {name} cannot be read; it stays (`clean --broken` sets it aside)", err=True)
    if done.sheet:
        typer.echo(f"groups drawn: {done.sheet}")
    print_step(done.step)
