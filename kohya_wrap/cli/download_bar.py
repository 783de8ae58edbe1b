"""A download as it is watched: size, speed and time left on a terminal, one line per tenth anywhere else."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from kohya_wrap.cli.output import size_text, time_text


def bar_text(done: int, total: int, seconds: float) -> str:
    """Describe a download in one line; `total` 0 where it is not known."""
    speed = done / seconds if seconds > 0 else 0.0
    parts = [f"{size_text(done)} of {size_text(total)}" if total else size_text(done)]
    if total:
        parts.append(f"{100 * done // total}%")
    if speed:
        parts.append(f"{size_text(int(speed))}/s")
        if total:
            parts.append(f"{time_text((total - done) / speed)} left")
    return "  ".join(parts)


@contextmanager
def download_bar() -> Iterator[Callable[[int, int], None]]:
    """Give a function that takes bytes done and bytes in all, and shows them on stderr until the block ends."""
    terminal = sys.stderr.isatty()
    began = time.monotonic()
    first, shown, last = -1, 0.0, -1

    def show(done: int, total: int) -> None:
        nonlocal first, shown, last
        first = done if first < 0 else first  # what an earlier call left is not counted as speed
        now = time.monotonic()
        tenth = 10 * done // total if total else -1
        if terminal and (now - shown >= 0.1 or done == total):
            typer.echo(f"\r\x1b[K{bar_text(done, total, _seconds(now - began, done, first))}", err=True, nl=False)
            shown = now
        elif not terminal and tenth > last:
            typer.echo(bar_text(done, total, _seconds(now - began, done, first)), err=True)
            last = tenth

    try:
        yield show
    finally:
        if terminal and shown:
            typer.echo("", err=True)


def _seconds(elapsed: float, done: int, first: int) -> float:
    """Stretch the time as if all of `done` had been fetched at today's speed."""
    return elapsed * done / (done - first) if done > first else 0.0
