"""A bar for long work on many pictures: on a terminal only, and only where it takes more than a moment."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from kohya_wrap.dataset.verbs.parallel import Report, no_report

_A_MOMENT = 0.5
"""Seconds before the bar is shown."""


@contextmanager
def bar() -> Iterator[Report]:
    """Give what a verb reports its progress to; elsewhere than on a terminal it says nothing. Says what Ctrl-C left."""
    try:
        with _bar() as report:
            yield report
    except KeyboardInterrupt:
        what = "stopped; `kohya-wrap dataset history` shows what was changed by then, `dataset undo` takes it back"
        typer.echo(what, err=True)
        raise


@contextmanager
def _bar() -> Iterator[Report]:
    if not sys.stderr.isatty():
        yield no_report
        return
    from rich.console import Console  # noqa: PLC0415 - terminals only
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = Progress(*columns, console=Console(stderr=True), transient=True)
    task, began = shown.add_task("", start=True), time.monotonic()

    def report(label: str, done: int, total: int) -> None:
        if not shown.live.is_started and time.monotonic() - began > _A_MOMENT:
            shown.start()
        shown.update(task, description=label, completed=done, total=total)

    try:
        yield report
    finally:
        shown.stop()
