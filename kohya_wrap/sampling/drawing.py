"""Draws what is missing on an easel, one command at a time, and the grid of all."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from kohya_wrap.engines.drawing.types import Drawer, Drawn
from kohya_wrap.errors import (
    BaseModelError,
    DiskFullError,
    DrawingError,
    EngineError,
    InterruptedRunError,
    KohyaWrapError,
    OutputError,
    ProjectBusyError,
)
from kohya_wrap.events import DRAWING, Event, Phase, Progress
from kohya_wrap.files import output_error
from kohya_wrap.results.samples.grid import write_grids
from kohya_wrap.sampling.easel import Easel

Tell = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Samples:
    """Test pictures of a run. `grids`: pictures of all of them; `missing`: how many could not be drawn.

    `seconds`: it took, the model's loading included. `notes`: what was left out. `failure`: why some are missing.
    """

    pictures: tuple[Path, ...] = ()
    grids: tuple[Path, ...] = ()
    missing: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    failure: KohyaWrapError | None = None


def draw(
    easel: Easel, *, tell: Tell, drawer: Drawer | None = None, grid: Path | None = None, again: str = "the same command"
) -> Samples:
    """Draw what is missing, and the grid of all (default: grid.png beside the pictures).

    What keeps pictures from being drawn is the result's `failure`; those that are there are on the grid all the same.
    Raises InterruptedRunError after Ctrl-C (`again`: what goes on), ProjectBusyError, OutputError, DiskFullError.
    """
    folder = easel.studio.paths.samples
    began = time.monotonic()
    hearing = _Hearing(len(easel.todo), tell)
    failure: KohyaWrapError | None = None
    with _alone(folder):
        try:
            if easel.todo:
                tell(Phase("samples"))
                tell(Progress(DRAWING, 0, len(easel.todo)))
                (drawer or easel.studio.drawer(easel.embeddings)).draw(easel.todo, on_drawn=hearing.drawn)
        except (DrawingError, EngineError, BaseModelError, OutputError, DiskFullError) as error:
            failure = error
        except KeyboardInterrupt as error:
            drawn = sum(picture.target.is_file() for picture in easel.todo)  # one may not have been told of yet
            what = f"stopped; {drawn} of {len(easel.todo)} pictures are drawn, and kept"
            raise InterruptedRunError(what, where=str(folder), todo=f"{again} draws the others") from error
        try:
            grids = _write_grid(easel, grid or folder / "grid.png", failure)
        except (OutputError, DiskFullError) as error:
            failure, grids = failure or error, ()
    there = easel.there()
    return Samples(there, grids, easel.count - len(there), time.monotonic() - began, hearing.notes, failure)


def _write_grid(easel: Easel, target: Path, failure: KohyaWrapError | None) -> tuple[Path, ...]:
    return write_grids(
        easel.blocks,
        target,
        training=easel.studio.training_picture,
        model=f"{easel.base.name} ({easel.base.sha256[:10]})" if easel.base.sha256 else easel.base.name,
        missing=f"not drawn: {failure.problems[0].what}" if failure else "not drawn",
    )


@dataclass(slots=True)
class _Hearing:
    """Counts the pictures that are done, and keeps what is said of them."""

    total: int
    tell: Tell
    count: int = 0
    _notes: dict[str, None] = field(default_factory=dict)

    def drawn(self, picture: Drawn) -> None:
        self.count += 1
        self._notes |= dict.fromkeys(picture.notes)
        self.tell(Progress(DRAWING, self.count, self.total))

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._notes)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder of pictures, so that two commands do not draw the same ones."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, folder) from error
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        what = "another command is drawing this run's pictures"
        raise ProjectBusyError(what, where=str(folder), todo="wait for it, or stop it") from error
    except OSError as error:
        raise output_error(error, folder) from error
    try:
        yield
    finally:
        lock.release()
