"""Test pictures in the record of their run, those too that a preset asks for when its training is done."""

from kohya_wrap.errors import (
    BaseModelError,
    DiskFullError,
    DrawingError,
    EngineError,
    OutputError,
    ProjectBusyError,
)
from kohya_wrap.events import Notice, RunWarning
from kohya_wrap.record import RunRecord, write_record
from kohya_wrap.record.model import SampleEntry, SamplesEntry
from kohya_wrap.sampling.drawing import Samples, Tell, draw
from kohya_wrap.sampling.easel import Easel, set_up
from kohya_wrap.studio import Studio

MOST_UNASKED = 500
"""Pictures that are drawn without being asked for by name."""


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


def note_in_record(easel: Easel, samples: Samples) -> None:
    """Add pictures that were drawn later to the record of their run, as it lies on the disk. Raises OutputError."""
    record = easel.studio.record
    if record.status not in {"running", "crashed"}:
        write_record(record.with_(samples=samples_entry(easel, samples)), easel.studio.paths.record)


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
