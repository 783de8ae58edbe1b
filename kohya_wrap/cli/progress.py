"""A run as it is watched: a bar on a terminal, plain lines (one per percent at most) anywhere else."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self

import typer

from kohya_wrap.cli.download_bar import DownloadView, bar_text
from kohya_wrap.cli.output import mute, time_text
from kohya_wrap.events import (
    DRAWING,
    FETCHING,
    CheckpointSaving,
    EngineFailure,
    EngineWarning,
    EpochStarted,
    Event,
    Notice,
    Phase,
    Progress,
    RunWarning,
    StateSaved,
    Step,
)

_PHASES = {
    "settings": "starting the engine",
    "dataset": "reading the dataset",
    "buckets": "sorting pictures into buckets",
    "base-model": "loading the base model",
    "latents": "encoding pictures",
    "network": "building the LoRA",
    "optimizer": "preparing the optimizer",
    "training": "training",
    "saving": "saving",
    "samples": "drawing samples",
    "verifying": "checking the LoRAs",
}
_STEP = re.compile(r"-step\d{8,}\.")
_SPEAKERS = {
    Notice: "",
    RunWarning: "warning: ",
    EngineWarning: "engine warns: ",
    EngineFailure: "engine says: ",
}


class View(Protocol):
    """Shows the events of one run; used as a context manager around it."""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def rate_text(seconds_per_step: float | None) -> str:
    """Give a speed as tqdm does: it/s, or s/it when slower than one a second."""
    if not seconds_per_step:
        return ""
    return f"{1 / seconds_per_step:.2f} it/s" if seconds_per_step < 1 else f"{seconds_per_step:.2f} s/it"


def step_text(step: Step, epoch: EpochStarted | None) -> str:
    """Describe a step in one line: step, epoch, loss, speed, time left."""
    parts = [f"step {step.step}/{step.total}"]
    if epoch:
        parts.append(f"epoch {epoch.epoch}/{epoch.total}")
    if step.loss is not None:
        parts.append(f"average loss {step.loss:.3g}")
    if step.seconds_per_step:
        parts.append(rate_text(step.seconds_per_step))
        parts.append(f"{time_text((step.total - step.step) * step.seconds_per_step)} left")
    return "  ".join(parts)


class PlainView:
    """Lines for a log file: phases, notices, warnings, and at most one line per percent of the steps."""

    def __init__(self) -> None:
        self._epoch: EpochStarted | None = None
        self._percent = -1
        self._drawn_percent = -1
        self._download = DownloadView()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing to put back."""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, EpochStarted):
            self._epoch = event
        elif isinstance(event, Step):
            percent = 100 * event.step // max(event.total, 1)
            if percent > self._percent and event.loss is not None:
                self._percent = percent
                typer.echo(step_text(event, self._epoch))
        elif isinstance(event, Progress) and event.label == FETCHING:
            self._download(event.done, event.total)
        elif isinstance(event, Progress) and event.label == DRAWING:
            self._drawn(event)
        elif text := _line(event):
            typer.echo(text)

    def _drawn(self, bar: Progress) -> None:
        percent = 100 * bar.done // max(bar.total, 1)
        if bar.done and (percent > self._drawn_percent or bar.done == 1):
            self._drawn_percent = percent
            typer.echo(f"picture {bar.done}/{bar.total}")


class BarView:
    """A live bar of rich, with the same lines above it."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - terminals only
        from rich.progress import Progress as Bars  # noqa: PLC0415 - likewise

        self._progress = Bars(BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._began = time.monotonic()
        self._task = self._progress.add_task("starting …", total=None)
        self._epoch: EpochStarted | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, EpochStarted):
            self._epoch = event
        elif isinstance(event, Step):
            text = step_text(event, self._epoch)
            self._progress.update(self._task, total=event.total, completed=event.step, description=text)
        elif isinstance(event, Phase):
            self._progress.update(self._task, description=_PHASES[event.name])
        elif isinstance(event, Progress):
            self._bar(event)
        elif text := _line(event):
            self._progress.console.print(text, markup=False, highlight=False)

    def _bar(self, bar: Progress) -> None:
        text = f"{bar.label} {bar.done}/{bar.total}"
        if bar.label == FETCHING:
            text = bar_text(bar.done, bar.total, time.monotonic() - self._began)
        self._progress.update(self._task, total=bar.total or None, completed=bar.done, description=text)


class LastingView:
    """Shows a run on a terminal that may be closed: from then on nothing is shown, and the run goes on, or is stopped,
    by its own rules."""

    def __init__(self, inner: View) -> None:
        self._inner = inner

    def __enter__(self) -> Self:
        with _lasting():
            self._inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with _lasting():
            self._inner.__exit__(kind, error, traceback)

    def __call__(self, event: Event) -> None:
        """Take one event."""
        with _lasting():
            self._inner(event)


@contextmanager
def _lasting() -> Iterator[None]:
    try:
        yield
    except OSError:
        mute()


def _line(event: Event) -> str:
    if isinstance(event, Phase):
        return f"{_PHASES[event.name]} …"
    if isinstance(event, CheckpointSaving):  # one beside a state has the engine's number of a step, which may be off
        return "" if _STEP.search(event.path.name) else f"saved {event.path.name}"
    if isinstance(event, StateSaved):
        return "saved a training state"
    if isinstance(event, Notice | RunWarning | EngineWarning | EngineFailure):
        return f"{_SPEAKERS[type(event)]}{event.text}"
    return ""


def view() -> View:
    """Choose how to show a run: a bar where stdout is a terminal, for as long as that is there."""
    return LastingView(BarView()) if sys.stdout.isatty() else PlainView()
