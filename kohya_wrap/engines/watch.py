"""Run a training and watch it: lines become events, a loss that is no number or a count that is off stops it."""

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from kohya_wrap.errors import LossNotFiniteError, OutOfMemoryError, PlanMismatchError, StalledError
from kohya_wrap.events import Event, ModelSaved, Progress, RunWarning, Step, UnknownLine
from kohya_wrap.launch import LaunchPlan, Outcome, OutputLine
from kohya_wrap.launch.process import run_process
from kohya_wrap.sd_scripts.failures import diagnose, with_steps_down
from kohya_wrap.sd_scripts.job import TrainingJob
from kohya_wrap.sd_scripts.log_parser import LogParser
from kohya_wrap.sd_scripts.verify import verify_counts

TAIL_LINES = 400


@dataclass(slots=True)
class Watched:
    """What was seen of a training. `events` leaves out steps, bars and unknown lines, which have no bound."""

    events: list[Event] = field(default_factory=list)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    last_step: int = 0
    saved: bool = False
    outcome: Outcome | None = None


class Watch:
    """Feeds the lines of one training to the parser, keeps what the verdict needs, and passes events on."""

    def __init__(self, job: TrainingJob, on_event: Callable[[Event], None]) -> None:
        self._job = job
        self._on_event = on_event
        self._parser = LogParser()
        self._checked = False
        self._stalled = False
        self.seen = Watched()

    def line(self, line: OutputLine) -> None:
        """Take one line. Raises LossNotFiniteError or PlanMismatchError, which stops the training."""
        if not line.transient and line.text.strip():
            self.seen.tail.append(line.text)
        self._take(self._parser.feed(line))

    def quiet(self, seconds: float) -> None:
        """Take notice of a silence: said once in a run, or raised as StalledError where the preset wants that."""
        engine = self._job.config.engine
        if self._stalled or not engine.stall_minutes or seconds < engine.stall_minutes * 60:
            return
        self._stalled = True
        what = f"the engine has printed nothing for {engine.stall_minutes:g} minutes"
        if engine.on_stall == "stop":
            todo = "read the log's end; raise engine.stall_minutes if this was only slow"
            raise StalledError(what, where=str(self._job.run.log), todo=todo)
        self._on_event(RunWarning(f"{what}; it still runs, and may hang (Ctrl-C stops it and keeps what was saved)"))

    def close(self) -> None:
        """Take what the parser still holds: nothing more will come."""
        self._take(self._parser.close())

    def _take(self, events: Iterable[Event]) -> None:
        before = self._job.steps_before
        for event in events:
            counted = event
            if before and isinstance(event, Step):
                counted = replace(event, step=event.step + before, total=self._job.steps.total_steps)
            self._on_event(counted)
            self._keep(counted)

    def _keep(self, event: Event) -> None:
        if isinstance(event, Step):
            self._step(event)
        elif not isinstance(event, Progress | UnknownLine):
            self.seen.events.append(event)
            self.seen.saved = self.seen.saved or isinstance(event, ModelSaved)

    def _step(self, step: Step) -> None:
        self.seen.last_step = max(self.seen.last_step, step.step)
        if step.loss is not None and not math.isfinite(step.loss):
            raise LossNotFiniteError(
                f"the loss became {step.loss} at step {step.step} of {step.total}",
                where=str(self._job.run.log),
                todo="lower learning.unet_lr and learning.text_encoder_lr, "
                "or set engine.mixed_precision to 'bf16' or 'no'",
            )
        if not self._checked:
            self._checked = True
            self.check_counts()

    def check_counts(self) -> None:
        """Hold the engine's own counts against the plan. Raises PlanMismatchError."""
        if problems := verify_counts(self.seen.events, self._job):
            raise PlanMismatchError.of(problems, what="the engine is about to train something else than was planned")


def train(plan: LaunchPlan, job: TrainingJob, *, on_event: Callable[[Event], None]) -> Watched:
    """Run a training to its end. Raises a TrainingError that names the cause; KeyboardInterrupt stops it in stages.

    Success means exit code 0, "model saved." and every planned step; the files are checked by the results room.
    """
    watch = Watch(job, on_event)
    outcome = run_process(plan, on_line=watch.line, log=job.run.log, on_quiet=watch.quiet)
    watch.close()
    watch.seen.outcome = outcome
    if outcome.returncode != 0 or not watch.seen.saved:
        error = diagnose(outcome, tuple(watch.seen.tail), watch.seen.events, log=job.run.log)
        raise with_steps_down(error, job.config) if isinstance(error, OutOfMemoryError) else error
    watch.check_counts()
    # With a state of the user's own nobody knows how many steps it had; ours are added to the engine's count.
    if not job.config.training.resume and watch.seen.last_step != job.steps.total_steps:
        raise PlanMismatchError(
            f"the engine did {watch.seen.last_step} steps, the plan says {job.steps.total_steps}",
            where=str(job.run.log),
            todo="please report this, with the run's folder",
        )
    return watch.seen
