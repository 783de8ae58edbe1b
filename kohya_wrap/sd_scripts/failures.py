"""Why an engine failed: one sentence of cause, what to change, and the class of error.

Source: facts 1.3, 2.2 and 5, each seen on the pinned engine unless the table says otherwise.
"""

import signal
from collections.abc import Iterable, Sequence
from pathlib import Path

from kohya_wrap.config import TrainConfig
from kohya_wrap.config.less_memory import steps_down
from kohya_wrap.errors import KilledError, NoDataError, OutOfMemoryError, TrainingError
from kohya_wrap.events import EngineFailure, Event, ImagesCounted, ModelSaved, Step, TotalsKnown
from kohya_wrap.launch.types import Outcome
from kohya_wrap.sd_scripts.cause import Cause
from kohya_wrap.sd_scripts.causes_of_input import INPUT_CAUSES
from kohya_wrap.sd_scripts.causes_of_setup import SETUP_CAUSES
from kohya_wrap.sd_scripts.traceback_text import LAUNCHER, real_exception, traceback_tail

CAUSES: tuple[Cause, ...] = INPUT_CAUSES + SETUP_CAUSES
"""All causes; the first whose pattern matches wins, memory and disk before all others."""

_OUT_OF_MEMORY = "most often the machine ran out of memory: close other programs, or lower steps.train_batch_size"


def diagnose(outcome: Outcome, tail: Sequence[str], events: Iterable[Event] = (), *, log: Path) -> TrainingError:
    """Give the error that says why a run failed; it is meant to be raised by the caller.

    `tail`: the last lines of the output, without bars; some hundred suffice. `events`: those of the run, steps may be
    left out. An exit code of 0 can be a failure: no data, or nothing saved. The traceback's last lines go with the
    error as a note.
    """
    seen = tuple(events)
    error = _diagnose(outcome, tuple(tail), seen, str(log))
    for line in traceback_tail(tail):
        error.add_note(line)
    return error


def with_steps_down(error: OutOfMemoryError, config: TrainConfig) -> OutOfMemoryError:
    """Give the error with the changes that are left for a preset, in order, as lines to paste."""
    steps = steps_down(config)
    if not steps:
        return error
    width = max(len(line) for step in steps for line in step.lines)
    lines = ["put these into the preset, one after the other, until it fits; the first costs the least:"]
    for step in steps:
        head, *values = step.lines
        lines += [f"      {head:<{width}}  # {step.effect}", *(f"      {value}" for value in values)]
    if config.engine.on_out_of_memory == "stop":
        lines.append('    or set [engine] on_out_of_memory = "step down", which tries them by itself')
    told = OutOfMemoryError(error.what, where=error.where, todo="\n".join(lines))
    for note in getattr(error, "__notes__", ()):
        told.add_note(note)
    return told


def _diagnose(outcome: Outcome, tail: tuple[str, ...], events: tuple[Event, ...], log: str) -> TrainingError:
    raised = real_exception(tail)
    if raised is not None and (found := find_cause(raised.text, "\n".join(raised.lines))):
        return _error(found, raised.text, log, _subject(found, tail, events))
    if (killed := _killed(outcome, tail, log)) is not None:
        return killed
    # Without a traceback only lines that say they are errors count: a log line may hold any word.
    failures = [event.text for event in reversed(events) if isinstance(event, EngineFailure)]
    texts = (*failures, *(line for line in reversed(tail) if "Error" in line or "error:" in line))
    for text in (text for text in texts if not text.startswith(LAUNCHER)):
        if found := find_cause(text):
            return _error(found, text, log, _subject(found, tail, events))
    if raised is not None:
        return TrainingError(f"the engine stopped with {raised.text}", where=log, todo="the log says more")
    return _without_words(outcome, events, log)


def find_cause(text: str, traceback: str = "") -> Cause | None:
    """Give the first cause in the table whose pattern is in an exception's last line, or in its traceback."""
    return next((cause for cause in CAUSES if cause.pattern.search(traceback if cause.whole else text)), None)


def _error(cause: Cause, text: str, log: str, subject: str) -> TrainingError:
    found = cause.pattern.search(text)
    details = {key: value for key, value in (found.groupdict() if found else {}).items() if value}
    what = cause.what.format_map(_Blanks(details))
    return cause.error(f"{what} ({subject})" if subject else what, where=log, todo=cause.todo)


class _Blanks(dict[str, str]):
    """Fills in "?" for a part of the message that the engine did not name."""

    def __missing__(self, key: str) -> str:
        return "?"


def _subject(cause: Cause, tail: tuple[str, ...], events: tuple[Event, ...]) -> str:
    """Name the file that the engine named in an earlier line, where the exception itself does not."""
    if not cause.named_by:
        return ""
    texts = [*tail, *(str(getattr(event, "text", "")) for event in events)]
    for text in reversed(texts):
        if found := cause.named_by.search(text):
            return found.group(1).strip()
    return ""


def _killed(outcome: Outcome, tail: tuple[str, ...], log: str) -> KilledError | None:
    named = next((word for line in reversed(tail) for word in ("SIGKILL", "SIGTERM", "SIGSEGV") if word in line), "")
    if outcome.returncode < 0 and not named:
        named = _signal_name(-outcome.returncode)
    if not named:
        return None
    todo = _OUT_OF_MEMORY if named == "SIGKILL" else "see what stopped it, and run again"
    return KilledError(f"the engine was killed from outside ({named})", where=log, todo=todo)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _without_words(outcome: Outcome, events: tuple[Event, ...], log: str) -> TrainingError:
    if outcome.returncode == 0:
        if any(isinstance(event, ImagesCounted) and event.kind == "train" and not event.count for event in events):
            return NoDataError("the engine found no pictures", where=log, todo="look at the dataset's folders")
        if any(isinstance(event, TotalsKnown) and event.what == "steps" and not event.count for event in events):
            return TrainingError("the engine had no step to do", where=log, todo="raise steps.how_many")
        if not any(isinstance(event, ModelSaved | Step) for event in events):
            return TrainingError("the engine ended without training anything", where=log, todo="read the log")
        return TrainingError("the engine ended without saying that it saved the LoRA", where=log, todo="read the log")
    return TrainingError(f"the engine stopped with exit code {outcome.returncode}", where=log, todo="read the log")
