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


class DownloadView:
    """Shows bytes done and bytes in all on stderr: one live line on a terminal, a line per tenth elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._began = time.monotonic()
        self._first = -1
        self._shown = 0.0
        self._tenth = -1

    def __call__(self, done: int, total: int) -> None:
        """Take the state of the download."""
        self._first = done if self._first < 0 else self._first  # what an earlier call left is not counted as speed
        now = time.monotonic()
        tenth = 10 * done // total if total else -1
        text = bar_text(done, total, _seconds(now - self._began, done, self._first))
        if self._terminal and (now - self._shown >= 0.1 or done == total):
            typer.echo(f"\r\x1b[K{text}", err=True, nl=False)
            self._shown = now
        elif not self._terminal and tenth > self._tenth:
            typer.echo(text, err=True)
            self._tenth = tenth

    def close(self) -> None:
        """End the live line."""
        if self._terminal and self._shown:
            typer.echo("", err=True)


@contextmanager
def download_bar() -> Iterator[Callable[[int, int], None]]:
    """Give a function that takes bytes done and bytes in all, and shows them until the block ends."""
    view = DownloadView()
    try:
        yield view
    finally:
        view.close()


def _seconds(elapsed: float, done: int, first: int) -> float:
    """Stretch the time as if all of `done` had been fetched at today's speed."""
    return elapsed * done / (done - first) if done > first else 0.0
