"""Options that several verbs share."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.errors import PresetError

PresetName = Annotated[str, typer.Argument(help="Name of a preset, or path of a preset file.", metavar="PRESET")]
Root = Annotated[
    Path | None, typer.Option("--root", help="Folder that holds Loras/ (default: the current one).", file_okay=False)
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="Override a value, for example learning.unet_lr=1e-4.", metavar="TABLE.KEY=VALUE"),
]
SetWords = Annotated[
    str, typer.Option("--set-words", hidden=True, help="Several overrides in one text, quoted as in a shell.")
]


def ending_with(ending: str) -> Callable[[Path | None], Path | None]:
    """Make the check of an option that names a file to write: one of another kind is most likely one to keep."""

    def check(path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() != ending:
            raise typer.BadParameter(f"{str(path)!r} is no {ending}")
        return path

    return check


def overrides(sets: list[str] | None, words: str = "") -> tuple[str, ...]:
    """Join both ways to give overrides. Raises PresetError where quotes are open."""
    try:
        return (*(sets or ()), *shlex.split(words))
    except ValueError as error:
        raise PresetError(
            f"cannot be split into overrides: {error}", where=f"SET={words}", todo="close the quotes"
        ) from error
