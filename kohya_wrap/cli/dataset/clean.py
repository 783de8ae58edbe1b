"""kohya-wrap dataset clean."""

from typing import Annotated

import typer

from kohya_wrap.cli.dataset.bar import bar
from kohya_wrap.cli.dataset.options import DryRun, Extension, Place, Recursive, find_place, print_step
from kohya_wrap.cli.options import Root
from kohya_wrap.dataset.findings import shown
from kohya_wrap.dataset.verbs.clean import CleanOptions
from kohya_wrap.dataset.verbs.clean import clean as set_aside

_SHOWN = 20


def clean(  # noqa: PLR0913, PLR0917 - one line for each option of the verb
    dataset: Place,
    broken: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--broken", help="Also pictures that cannot be read, with their captions.")
    ] = False,
    latents: Annotated[bool, typer.Option("--latents", help="Also the engine's .npz files.")] = False,  # noqa: FBT002 - a flag
    recursive: Recursive = False,  # noqa: FBT002 - a flag of the command line
    caption_extension: Extension = ".txt",
    root: Root = None,
    dry_run: DryRun = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Set aside every file in DATASET that is no picture, caption or latents."""
    place = find_place(dataset, root)
    options = CleanOptions(broken, latents, recursive, caption_extension)
    with bar() as report:
        done = set_aside(place, options, dry_run=dry_run, report=report)
    for path in done.gone[:_SHOWN]:
        typer.echo(f"  {shown(str(path.relative_to(place.folder)))}")
    if len(done.gone) > _SHOWN:
        typer.echo(f"  and {len(done.gone) - _SHOWN} more")
    for problem in done.broken:
        typer.echo(shown(f"{problem.where}: {problem.what}"), err=True)
    if done.unseen:
        typer.echo(f"left where they are, though the engine does not read them: {len(done.unseen)} pictures", err=True)
    print_step(done.step)
