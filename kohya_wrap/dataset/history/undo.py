"""Give back what a step changed: the newest one that has not been undone, file by file, last change first."""

from kohya_wrap.dataset.history.journal import Change, StepRecord, read_changes, read_steps
from kohya_wrap.dataset.history.moving import move
from kohya_wrap.dataset.history.place import DatasetPlace
from kohya_wrap.dataset.history.step import hold
from kohya_wrap.errors import DatasetError, Problem
from kohya_wrap.files import output_error, sha256_file


def undo(place: DatasetPlace, *, force: bool = False, dry_run: bool = False) -> StepRecord:
    """Undo the newest step and give its record. A file that a step made goes into the history, not away.

    Files that were changed by hand since are an error that names them all, before anything is touched; with `force`
    they are replaced too. Can be repeated when it was cut short. Raises DatasetError, OutputError, ProjectBusyError.
    """
    with hold(place):
        steps = [step for step in read_steps(place.history) if step.state != "undone"]
        if not steps:
            raise DatasetError("there is nothing to undo", where=str(place.history))
        step = steps[-1]
        changes = list(read_changes(step))
        newest = {change.path: change for change in changes}.values()  # a file may have been changed twice
        conflicts = [problem for change in newest if (problem := _conflict(step, change))]
        if conflicts and not force:
            raise DatasetError.of(conflicts, what=f"step {step.number} ({step.verb}) cannot be undone as it is")
        if dry_run:
            return step
        for change in reversed(changes):
            _give_back(step, change)
        return step.become("undone")


def _conflict(step: StepRecord, change: Change) -> Problem | None:
    todo = "move it away, or give --force to lose it"
    if change.kind == "aside":
        if (step.kept / change.kept).exists() and change.path.exists():
            return Problem(str(change.path), "there is another file in the place of one that was set aside", todo)
        return None
    if not change.path.is_file() or _is_undone(step, change):
        return None
    if sha256_file(change.path) != change.sha256 and not _was_never_made(step, change):
        return Problem(str(change.path), "has been changed since", todo)
    return None


def _is_undone(step: StepRecord, change: Change) -> bool:
    """Whether an undo that was cut short has dealt with this change already."""
    kept = step.kept / change.kept
    return kept.with_name(f"{change.kept}.undone").exists() if change.kind == "created" else not kept.exists()


def _was_never_made(step: StepRecord, change: Change) -> bool:
    """Whether the step was cut short after it noted the change and before it made it: the old file is still there."""
    kept = step.kept / change.kept
    return change.kind == "replaced" and kept.exists() and sha256_file(kept) == sha256_file(change.path)


def _give_back(step: StepRecord, change: Change) -> None:
    kept = step.kept / change.kept
    try:
        if change.kind == "created":
            if change.path.is_file() and not _is_undone(step, change):
                move(change.path, kept.with_name(f"{change.kept}.undone"))
        elif kept.exists():
            change.path.parent.mkdir(parents=True, exist_ok=True)
            move(kept, change.path)
    except OSError as error:
        raise output_error(error, change.path) from error
