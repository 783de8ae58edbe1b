"""Draws the test pictures of a recorded run, puts them on one grid, and notes them in the record."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from kohya_wrap.engines.drawing.types import Drawer, Drawn, Picture
from kohya_wrap.errors import (
    BaseModelError,
    DiskFullError,
    DrawingError,
    EngineError,
    InterruptedRunError,
    KohyaWrapError,
    OutputError,
    Problem,
    ProjectBusyError,
)
from kohya_wrap.events import DRAWING, Event, Notice, Phase, Progress, RunWarning
from kohya_wrap.files import output_error
from kohya_wrap.record import RunRecord, write_record
from kohya_wrap.record.model import SampleEntry, SamplesEntry
from kohya_wrap.results.samples import places
from kohya_wrap.results.samples.cells import Block, Wanted, lay_out, pictures_to_draw, rows_of
from kohya_wrap.results.samples.embeddings import FoundEmbedding, find_embeddings
from kohya_wrap.results.samples.grid import write_grids
from kohya_wrap.results.samples.loras import find_loras
from kohya_wrap.results.samples.prompts import prompt_problems, read_prompts
from kohya_wrap.results.samples.shelf import Shelf
from kohya_wrap.results.samples.text import Base
from kohya_wrap.studio import Studio

MOST_UNASKED = 500
"""Pictures that are drawn without being asked for by name."""

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


@dataclass(frozen=True, slots=True)
class Easel:
    """All that would be drawn for a run, known before anything is. `todo`: what is not there yet."""

    studio: Studio
    base: Base
    blocks: tuple[Block, ...]
    todo: tuple[Picture, ...]
    problems: tuple[Problem, ...] = ()
    embeddings: Mapping[str, FoundEmbedding] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many different pictures the grid shows."""
        return len(set(self._targets()))

    def _targets(self) -> Iterator[Path]:
        for block in self.blocks:
            yield from (cell.picture.target for cell in block.unique() if cell.picture is not None)

    def there(self) -> tuple[Path, ...]:
        """List the pictures that are there now, each once."""
        return tuple(path for path in dict.fromkeys(self._targets()) if path.is_file())


def set_up(studio: Studio, *, lora_folders: Iterable[Path] = ()) -> Easel:
    """Say what would be drawn for a run. Raises DrawingError where there is no prompt, no LoRA."""
    record, samples = studio.record, studio.samples
    if not samples.prompts:
        todo = 'give --prompt "…", or write samples.prompts in the preset and name that'
        raise DrawingError("there is no prompt to draw", where=f"{record.id}: samples.prompts", todo=todo)
    if not record.loras:
        raise DrawingError("the run left no LoRA to draw with", where=record.id)
    prompts = read_prompts(samples, record.project, activation_tag=studio.activation_tag)
    others, missing = find_loras(prompts, (*lora_folders, *places.lora_folders(studio.project, samples)))
    embeddings, unknown = find_embeddings(prompts, places.embedding_folders(studio.project, samples))
    rows = rows_of(studio.loras, samples.epochs if any(samples.weights) else "last")
    base = studio.base()
    wanted = Wanted(prompts, rows, samples.weights, base, record.project, others, embeddings)
    blocks = lay_out(wanted, Shelf(studio.paths.samples, samples.draw_with))
    gone = [Problem(f"epoch {row.epoch}", row.reason, severity="warning") for row in rows if row.lora is None]
    problems = (*prompt_problems(prompts), *missing, *unknown, *gone)
    return Easel(studio, base, blocks, pictures_to_draw(blocks), problems, embeddings)


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
            what = f"stopped; {hearing.count} of {len(easel.todo)} pictures are drawn, and kept"
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


def samples_entry(easel: Easel, samples: Samples) -> SamplesEntry:
    """Describe test pictures for the record, those that it names already included."""
    known = easel.studio.record.samples
    there, folder = set(samples.pictures), easel.studio.paths.samples
    new = [
        SampleEntry(path=str(cell.picture.target), prompt=block.prompt.number, epoch=cell.epoch, weight=cell.weight)
        for block in easel.blocks
        for cell in block.unique()
        if cell.picture is not None and cell.picture.target in there
    ]
    pictures = {entry.path: entry for entry in (*known.pictures, *new)}
    return SamplesEntry(
        draw_with=easel.studio.samples.draw_with,
        pictures=tuple(pictures.values()),
        grids=tuple(dict.fromkeys((*known.grids, *(str(path) for path in samples.grids if path.parent == folder)))),
        seconds=round(known.seconds + samples.seconds, 3) if easel.todo else known.seconds,
        error=str(samples.failure) if samples.failure else "",
    )


def after_training(studio: Studio, *, tell: Tell) -> tuple[Samples, RunRecord]:
    """Draw the pictures that a preset asks for, when its training is recorded; give them with the record of both.

    What goes wrong is a warning, with the command that draws them later, because the training has succeeded. Only
    Ctrl-C is raised, as InterruptedRunError.
    """
    record = studio.record
    again = f"`kohya-wrap lora grid {record.id}`"
    entry, warned = record.samples, []
    try:
        easel = set_up(studio)
        warned += [text for text in map(str, easel.problems) if text not in record.warnings]
        if len(easel.todo) > MOST_UNASKED:
            what = f"{len(easel.todo)} test pictures are more than {MOST_UNASKED}, and are not drawn unasked"
            raise DrawingError(what)
        count = "1 test picture" if len(easel.todo) == 1 else f"{len(easel.todo)} test pictures"
        tell(Notice(f"Drawing {count} with {studio.samples.draw_with}"))
        samples = draw(easel, tell=tell, again=f"the training is done and recorded; {again}")
        entry = samples_entry(easel, samples)
    except (DrawingError, EngineError, BaseModelError, OutputError, DiskFullError, ProjectBusyError) as error:
        samples = Samples(failure=error)
        entry = entry.model_copy(update={"error": str(error)})
    warned += samples.notes
    if samples.failure is not None:
        failed = f"the training is done, but not all of its test pictures: {samples.failure}"
        warned.append(f"{failed}; {again} draws them later")
    for text in warned:
        tell(RunWarning(text))
    done = record.with_(samples=entry, warnings=(*record.warnings, *warned))
    try:
        write_record(done, studio.paths.record)
    except (OutputError, DiskFullError) as error:
        tell(RunWarning(f"the record does not name the test pictures: {error}"))
    return samples, done


def note_in_record(easel: Easel, samples: Samples) -> None:
    """Add pictures that were drawn later to the record of their run, as it lies on the disk. Raises OutputError."""
    record = easel.studio.record
    if record.status not in {"running", "crashed"}:
        write_record(record.with_(samples=samples_entry(easel, samples)), easel.studio.paths.record)
