"""How things look on a screen: problems, rows, sizes, times. Light: the door to every verb imports it."""

import os
import re
import sys
from collections.abc import Iterable, Sequence

import typer

from kohya_wrap.errors import KohyaWrapError, Problem

_LABEL = 10
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""Control characters, which a terminal obeys, half characters, which it cannot show, and changes of direction."""


def print_error(error: KohyaWrapError) -> None:
    """Print an error: its problems, one paragraph each, to stderr."""
    errors = [problem for problem in error.problems if problem.severity == "error"] or list(error.problems)
    head = error.what if len(errors) > 1 else "Error"
    _styled(f"{head}:", typer.colors.RED)
    for problem in errors:
        _print_problem(problem)


def print_warnings(warnings: Iterable[Problem]) -> None:
    """Print warnings to stderr."""
    for problem in warnings:
        _styled("Warning:", typer.colors.YELLOW, newline=False)
        _print_problem(problem)


def _print_problem(problem: Problem) -> None:
    head = f"{problem.where}: {problem.what}" if problem.where else problem.what
    accept = f" [{problem.code}]" if problem.code else ""
    typer.echo(f"  {head}{accept}", err=True)
    if problem.todo:
        typer.echo(f"    → {problem.todo}", err=True)


def _styled(text: str, color: str, *, newline: bool = True) -> None:
    typer.secho(text, fg=color if sys.stderr.isatty() else None, bold=sys.stderr.isatty(), err=True, nl=newline)


def print_rows(rows: Sequence[tuple[str, str]]) -> None:
    """Print label and text in two columns; an empty label goes on with the one above."""
    for label, text in rows:
        typer.echo(f"{label:<{_LABEL}}  {text}".rstrip())


def printable(text: str) -> str:
    """Give a stranger's text as a terminal may show it; line breaks stay."""
    return _UNPRINTABLE.sub("\ufffd", text)


def size_text(size: int) -> str:
    """Give a size in bytes for a person, in binary units."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError


def time_text(seconds: float) -> str:
    """Give a time for a person: 0:07, 12:34, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def mute() -> None:
    """Write to nowhere from here on: the terminal is gone, and Python's last flush would change the exit code."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
