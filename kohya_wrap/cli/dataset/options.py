"""Options that the verbs of `dataset` share, and the lines they end with."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.dataset.findings import shown
from kohya_wrap.dataset.history import DatasetPlace, Step, place_of
from kohya_wrap.errors import DatasetError

Place = Annotated[
    str, typer.Argument(help="A project's name (NAME or NAME/SUB), or any folder of pictures.", metavar="DATASET")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")]
Extension = Annotated[str, typer.Option("--caption-extension", help="Ending of caption files.")]
Recursive = Annotated[bool, typer.Option("--recursive", help="Sub-folders too.")]
_WORDS = {"created": "new", "replaced": "changed", "aside": "set aside"}


def find_place(text: str, root: Path | None) -> DatasetPlace:
    """Find the dataset that was named, below `root` or the current folder. Raises DatasetError for a file."""
    above = root or Path.cwd()
    if (above / Path(text).expanduser()).is_file():
        raise DatasetError("is a file, no dataset", where=text, todo="name its folder, or a project")
    return place_of(text, root=above)


def counted(count: int, things: str) -> str:
    """Give a count with what is counted: "1 file", "2 files"."""
    return f"{count} {things.removesuffix('s') if count == 1 else things}"


def print_step(step: Step, files: str = "files") -> None:
    """Say in one line what a step did, or would do, and how to take it back."""
    files = files.removesuffix("s") if sum(step.counts.values()) == 1 else files
    parts = [f"{count} {_WORDS[kind]}" for kind, count in step.counts.items() if count]
    if not parts:
        typer.echo("nothing to change")
    elif step.dry_run:
        typer.echo(f"would be: {', '.join(parts)} {files}")
    else:
        number = step.record.number if step.record else 0
        back = f"`kohya-wrap dataset undo {_typed(step.place.folder)}` takes it back"
        typer.echo(f"{', '.join(parts)} {files} (step {number}; {back})")


def _typed(folder: Path) -> str:
    """Give a folder as it can be typed here, in one line; ./ keeps it from being taken for a project."""
    here = Path.cwd()
    inside = folder != here and folder.is_relative_to(here)
    return shown(shlex.quote(f"./{folder.relative_to(here)}" if inside else str(folder)))
