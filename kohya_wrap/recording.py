"""Keeps run.json true while a run goes on: opened before the launch, closed after it, whatever happens in between."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Self

from kohya_wrap import dataset
from kohya_wrap.collecting import Leavings
from kohya_wrap.engines.engine import EngineStatus
from kohya_wrap.engines.watch import Watched
from kohya_wrap.entries import complete_base, file_entry, lora_entry, loss_entry
from kohya_wrap.errors import BadResultError, DiskFullError, InterruptedRunError, OutputError
from kohya_wrap.events import EngineWarning, Event, RunWarning, StateSaved, Step
from kohya_wrap.launch import LaunchPlan
from kohya_wrap.planning import Plan
from kohya_wrap.record.build import engine_entry, launch_entry, open_record, outcome_entry, preset_entry
from kohya_wrap.record.model import (
    BaseModelEntry,
    ContinuedEntry,
    RunRecord,
    Status,
    error_entry,
    now,
    write_record,
)
from kohya_wrap.record.parts import changed_files, parts_of
from kohya_wrap.record.reserve import Reserve
from kohya_wrap.results.lora_file import LoraFile
from kohya_wrap.results.losses import StepLoss, write_losses
from kohya_wrap.results.publish import Lora, Staged, check_staged, publish
from kohya_wrap.results.states import settle_state
from kohya_wrap.sd_scripts.job import TrainingJob

_NAMED = 3
"""Changed files that are named in a warning."""


class Recording:
    """The record of one run, open until the `with` block ends; what came out is then in `loras` and `losses`."""

    def __init__(self, planned: Plan, job: TrainingJob, record: RunRecord) -> None:
        self._planned = planned
        self._job = job
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hash-base-model")
        self._base: Future[BaseModelEntry] | None = None
        self.record = record
        self._left = Leavings(job, parts_of(record.continued, job.run.folder.parent))
        self._reserve = Reserve(job.run.record)
        self._reserve.hold(job.run.record.stat().st_size)
        self._began = time.monotonic()
        self._warned: list[str] = []
        self._last_step = job.steps_before
        self._tell: Callable[[Event], None] = _nobody
        self.loras: tuple[Lora, ...] = ()
        self.losses: tuple[StepLoss, ...] = ()

    @classmethod
    def open(
        cls, planned: Plan, job: TrainingJob, status: EngineStatus, *, continued: ContinuedEntry | None = None
    ) -> "Recording":
        """Write run.json for a run that is about to start, or to go on. Raises OutputError."""
        loaded = planned.preset
        record = open_record(
            job,
            preset=preset_entry(
                loaded.name,
                str(loaded.path),
                overrides=planned.overrides,
                stated=loaded.tables,
                config=planned.config,
            ),
            engine=engine_entry(planned.engine.name, status),
            hardware=planned.hardware,
            dataset=[file_entry(entry) for entry in dataset.dataset_hashes(planned.dataset)],
        ).with_(warnings=tuple(str(problem) for problem in planned.warnings), continued=continued)
        write_record(record, job.run.record)
        return cls(planned, job, record)

    def __enter__(self) -> Self:
        return self

    def launched(self, launch: LaunchPlan) -> None:
        """Add the command; the base model's hash is worked out beside the training, and remembered for the next."""
        run = self._job.run
        files = {
            "training_config": run.training_config.read_text(encoding="utf-8"),
            "dataset_config": run.dataset_config.read_text(encoding="utf-8"),
            "accelerate_config": run.accelerate_config.read_text(encoding="utf-8"),
        }
        self._update(launch=launch_entry(launch, files=files))
        self._base = self._pool.submit(complete_base, self.record.base_model, self._job, self._planned)

    def trained(self, watched: Watched) -> None:
        """Check and publish what the training left. Raises BadResultError."""
        if watched.outcome:
            self._update(outcome=outcome_entry(watched.outcome))
        staged = self._left.staged()
        if not staged:
            raise BadResultError(
                "the engine left no LoRA", where=str(self._job.run.staging), todo=f"read {self._job.run.log}"
            )
        steps = self._job.steps.total_steps
        checked = [(each, check_staged(each, steps=steps if each is staged[-1] else None)) for each in staged]
        self._publish(checked)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        status: Status = "succeeded"
        if isinstance(error, KeyboardInterrupt | InterruptedRunError):
            status = "interrupted"
        elif error is not None:
            status = "failed"
        failed = self._end(status, error)
        said = self._said(error) if error is not None else None
        if failed is not None and said is None:
            raise failed
        if failed is not None and said is not None:
            self._tell(RunWarning(f"the record could not be closed: {failed}"))
        if said is not error and said is not None:
            raise said from error

    def _end(self, status: Status, error: BaseException | None) -> OutputError | DiskFullError | None:
        """Publish what an unfinished run left, and close the record. Gives what kept it from that."""
        failed: OutputError | DiskFullError | None = None
        for step in (self._salvage if error is not None else None, partial(self._close, status, error)):
            try:
                if step is not None:
                    step()
            except (OutputError, DiskFullError) as problem:
                failed = problem
        self._pool.shutdown()
        self._reserve.release()
        return failed

    def _said(self, error: BaseException) -> BaseException:
        """Give the error as the user gets to see it."""
        return self._interrupted() if isinstance(error, KeyboardInterrupt) else error

    def _interrupted(self) -> InterruptedRunError:
        count = len(self.loras)
        kept = "nothing was saved yet"
        if count:
            number = "1 LoRA is" if count == 1 else f"{count} LoRAs are"
            kept = f"{number} kept in {self.loras[0].path.parent}"
        todo = "run it again to start over"
        if self._left.has_state():
            todo = f"`kohya-wrap runs resume {self._job.run.id}` goes on from here"
        return InterruptedRunError(f"stopped; {kept}", where=str(self._job.run.folder), todo=todo)

    def _salvage(self) -> None:
        """Publish what is whole of an unfinished run; a half-written or bad file stays where it is."""
        if self.loras:
            return
        checked: list[tuple[Staged, LoraFile]] = []
        for staged in self._left.staged():
            try:
                checked.append((staged, check_staged(staged)))
            except BadResultError:
                continue
        if checked:
            self._publish(checked)

    def _publish(self, checked: Sequence[tuple[Staged, LoraFile]]) -> None:
        self.loras = publish(
            checked,
            self._planned.project.output,
            name=self._planned.config.setup.project_name,
            run_id=self._job.run.id,
        )
        self._update(loras=tuple(lora_entry(lora) for lora in self.loras))

    def _close(self, status: Status, error: BaseException | None) -> None:
        self.losses = self._left.losses()
        if self._base is not None:
            self._change(base_model=self._base.result())
        if status != "interrupted":  # who presses Ctrl-C does not wait for gigabytes to be read
            self._note_changes()
        self._update(
            status=status,
            ended=now(),
            seconds=time.monotonic() - self._began,
            warnings=(*self.record.warnings, *self._warned),
            losses=loss_entry(self.losses, self._job),
            counts=self.record.counts.model_copy(update={"done_steps": self._done_steps()}),
            error=error_entry(self._said(error)) if error is not None else None,
        )
        if self.losses:
            write_losses(self.losses, self._job.run.losses)

    def _done_steps(self) -> int:
        """Give the last step that was heard of: a killed engine takes the newest losses with it, unwritten."""
        return max(self._last_step, self.losses[-1].step if self.losses else 0)

    def listen(self, tell: Callable[[Event], None]) -> Callable[[Event], None]:
        """Give a listener that passes all events on.

        It keeps every warning and the last step for the record, and settles each state on the disk.
        """
        self._tell = tell

        def hear(event: Event) -> None:
            if isinstance(event, EngineWarning | RunWarning):
                self._warned.append(event.text)
            elif isinstance(event, StateSaved):
                self._pool.submit(settle_state, event.path)
            elif isinstance(event, Step):
                self._last_step = max(self._last_step, event.step)
            tell(event)

        return hear

    def _note_changes(self) -> None:
        """Say which pictures and captions are no longer what they were when the run began."""
        changed = [problem.where for problem in changed_files(self.record.dataset)]
        if not changed:
            return
        count = "1 file" if len(changed) == 1 else f"{len(changed)} files"
        text = f"{count} of the dataset changed or vanished while the run went on, so what it saw is not sure: "
        warning = RunWarning(text + ", ".join(changed[:_NAMED]) + (", …" if len(changed) > _NAMED else ""))
        self._warned.append(warning.text)
        self._tell(warning)

    def _change(self, **changes: object) -> None:
        self.record = self.record.with_(**changes)

    def _update(self, **changes: object) -> None:
        self._change(**changes)
        try:
            write_record(self.record, self._job.run.record)
        except DiskFullError:
            self._reserve.release()
            write_record(self.record, self._job.run.record)


def _nobody(event: Event) -> None:
    """Stand in for a caller who does not listen."""
