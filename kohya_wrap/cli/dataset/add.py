"""kohya-wrap dataset add."""

from typing import Annotated

import typer

from kohya_wrap.cli.dataset.bar import bar
from kohya_wrap.cli.dataset.fetching import fetch_url
from kohya_wrap.cli.dataset.options import DryRun, Extension, Place, counted, find_place, print_step
from kohya_wrap.cli.options import Root
from kohya_wrap.dataset.findings import shown
from kohya_wrap.dataset.verbs import add as verb

_SHOWN = 10


def add(  # noqa: PLR0913, PLR0917 - one line for each option of the verb
    dataset: Place,
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Pictures, folders, ZIP or tar files, and http addresses of these; URL#sha256=… to be sure.",
            metavar="PATH|ZIP|URL…",
        ),
    ],
    sha256: Annotated[str, typer.Option("--sha256", help="Of the only source; another file is refused.")] = "",
    keep_folders: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--keep-folders", help="Keep sub-folders; otherwise all pictures go into one folder.")
    ] = False,
    caption_extension: Extension = ".txt",
    root: Root = None,
    dry_run: DryRun = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Copy pictures, with their captions, into DATASET."""
    place = find_place(dataset, root)
    options = verb.AddOptions(sha256, keep_folders, caption_extension)
    with bar() as report:
        done = verb.add(place, sources, options, fetch=fetch_url, dry_run=dry_run, report=report)
    same = f"; {len(done.same)} were there already" if done.same else ""
    what = f"{counted(done.pictures, 'pictures')} with {counted(done.captions, 'captions')}"
    typer.echo(f"{what} for {shown(str(place.folder))}{same}")
    for old, new in done.renamed[:_SHOWN]:
        typer.echo(shown(f"  {old} is {new}: another picture has its name"))
    if len(done.renamed) > _SHOWN:
        typer.echo(f"  and {len(done.renamed) - _SHOWN} more with new names")
    for problem in done.left_out:
        typer.echo(shown(f"left out: {problem.where}: {problem.what}"), err=True)
    print_step(done.step)
