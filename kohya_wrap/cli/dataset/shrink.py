"""kohya-wrap dataset shrink."""

from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.cli.dataset.bar import bar
from kohya_wrap.cli.dataset.options import DryRun, Extension, Place, Recursive, find_place, print_step
from kohya_wrap.cli.options import Root
from kohya_wrap.cli.output import size_text
from kohya_wrap.dataset.verbs.shrink import PictureFormat, ShrinkOptions
from kohya_wrap.dataset.verbs.shrink import shrink as copy_smaller

_USUAL = ShrinkOptions()


def shrink(  # noqa: PLR0913, PLR0917 - one line for each option of the verb
    dataset: Place,
    target: Annotated[Path, typer.Argument(help="A new folder for the copy.", metavar="TARGET", file_okay=False)],
    picture_format: Annotated[PictureFormat, typer.Option("--format", help="What pictures become.")] = _USUAL.format,
    quality: Annotated[int, typer.Option(help="Of JPEG and WebP, 1 to 100.")] = _USUAL.quality,
    max_side: Annotated[int, typer.Option(help="Longest side in pixels; 0: any.")] = _USUAL.max_side,
    halve_above: Annotated[
        int, typer.Option(help="Pictures of more bytes are halved in width and height; 0: never.")
    ] = _USUAL.halve_above,
    background: Annotated[str, typer.Option(help="What transparent places become: a name or #rrggbb.")] = "white",
    recursive: Recursive = False,  # noqa: FBT002 - a flag of the command line
    caption_extension: Extension = ".txt",
    root: Root = None,
    dry_run: DryRun = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Copy DATASET, with its captions, to TARGET with smaller files; DATASET stays as it is."""
    place = find_place(dataset, root)
    options = ShrinkOptions(picture_format, quality, max_side, halve_above, background, recursive, caption_extension)
    with bar() as report:
        done = copy_smaller(place, target, options, dry_run=dry_run, report=report)
    percent = f" ({100 * done.after / done.before:.0f} %)" if done.before else ""
    typer.echo(
        f"{done.made} pictures made smaller, {done.copied} copied as they are:"
        f" {size_text(done.before)} → {size_text(done.after)}{percent}"
    )
    for path in done.unreadable:
        typer.echo(f"  {path.relative_to(place.folder)} cannot be read; copied as it is", err=True)
    typer.echo(f"in {done.target}")
    print_step(done.step)
