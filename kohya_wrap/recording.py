"""Keeps run.json true while a run goes on: opened before the launch, closed after it, whatever happens in between."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from kohya_wrap import base_models, dataset
from kohya_wrap.dataset import FileHash
from kohya_wrap.engines.engine import EngineStatus
from kohya_wrap.engines.watch import Watched
from kohya_wrap.errors import BadResultError, InterruptedRunError
from kohya_wrap.events import EngineWarning
from kohya_wrap.launch import LaunchPlan
from kohya_wrap.paths import RunPaths
from kohya_wrap.planning import Plan
from kohya_wrap.record.build import engine_entry, launch_entry, open_record, outcome_entry, preset_entry
from kohya_wrap.record.model import (
    ContinuedEntry,
    FileEntry,
    LoraEntry,
    LossEntry,
    RunRecord,
    Status,
    error_entry,
    now,
    seconds_between,
    write_record,
)
from kohya_wrap.record.parts import parts_of
from kohya_wrap.results.lora_file import LoraFile
from kohya_wrap.results.losses import StepLoss, finite_losses, log_dir, mean_of, read_losses, shifted, write_losses
from kohya_wrap.results.publish import Lora, Staged, check_staged, publish, staged_loras
from kohya_wrap.results.states import find_states
from kohya_wrap.sd_scripts.job import TrainingJob


class Recording:
    """The record of one run, open until the `with` block ends; what came out is then in `loras` and `losses`."""

    def __init__(self, planned: Plan, job: TrainingJob, record: RunRecord) -> None:
        self._planned = planned
        self._job = job
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hash-base-model")
        self._base_hash: Future[tuple[str, tuple[FileEntry, ...]]] | None = None
        self.record = record
        self._parts = parts_of(record.continued, job.run.folder.parent)
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
            dataset=[_file_entry(entry) for entry in dataset.dataset_hashes(planned.dataset)],
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
        self._base_hash = self._pool.submit(_hash_base, self._job, self._planned)

    def trained(self, watched: Watched) -> None:
        """Check and publish what the training left. Raises BadResultError."""
        if watched.outcome:
            self._update(outcome=outcome_entry(watched.outcome))
        self._note_warnings(watched)
        staged = self._staged()
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
        if error is not None:
            self._salvage()
        self._close(status, error)
        if isinstance(error, KeyboardInterrupt):
            raise self._interrupted() from error

    def _interrupted(self) -> InterruptedRunError:
        count = len(self.loras)
        kept = "nothing was saved yet"
        if count:
            number = "1 LoRA is" if count == 1 else f"{count} LoRAs are"
            kept = f"{number} kept in {self.loras[0].path.parent}"
        todo = "run it again to start over"
        if find_states(self._job.run.staging, self._planned.config.setup.project_name):
            todo = f"`kohya-wrap runs resume {self._job.run.id}` goes on from here"
        return InterruptedRunError(f"stopped; {kept}", where=str(self._job.run.folder), todo=todo)

    def _staged(self) -> tuple[Staged, ...]:
        """List what the engine left; the oldest beyond keep_only_last_n_epochs go (the engine keeps one more)."""
        config, job = self._planned.config, self._job
        name, last = config.setup.project_name, job.steps.epochs
        own = staged_loras(job.run.staging, name, last_epoch=last, steps_before=job.steps_before)
        staged = (*self._staged_before(name), *own)
        keep = config.steps.keep_only_last_n_epochs
        for old in staged[:-keep] if keep else ():
            if old in own:
                old.path.unlink(missing_ok=True)
        return staged[-keep:] if keep else staged

    def _staged_before(self, name: str) -> list[Staged]:
        """List what the parts of the run before this one left, each up to where the next took over."""
        found: list[Staged] = []
        for part in self._parts:
            folder = RunPaths(Path(part.record.folder), Path()).staging
            staged = staged_loras(folder, name, last_epoch=part.until_epoch + 1, steps_before=part.steps_before)
            found += [each for each in staged if part.epochs_before < each.epoch <= part.until_epoch]
        return found

    def _all_losses(self) -> tuple[StepLoss, ...]:
        """Read the losses of every part, counted through."""
        found: list[StepLoss] = []
        for part in self._parts:
            losses = shifted(read_losses(log_dir(part.record)), part.steps_before)
            found += [loss for loss in losses if loss.step <= part.until_step]
        return (*found, *shifted(read_losses(self._job.run.log_dir), self._job.steps_before))

    def _salvage(self) -> None:
        """Publish what is whole of an unfinished run; a half-written or bad file stays where it is."""
        if self.loras:
            return
        checked: list[tuple[Staged, LoraFile]] = []
        for staged in self._staged():
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
        self._update(loras=tuple(_lora_entry(lora) for lora in self.loras))

    def _note_warnings(self, watched: Watched) -> None:
        texts = tuple(event.text for event in watched.events if isinstance(event, EngineWarning))
        self._update(warnings=self.record.warnings + texts)

    def _close(self, status: Status, error: BaseException | None) -> None:
        self.losses = self._all_losses()
        if self.losses:
            write_losses(self.losses, self._job.run.losses)
        if self._base_hash is not None:
            sha256, files = self._base_hash.result()
            self._update(base_model=self.record.base_model.model_copy(update={"sha256": sha256, "files": files}))
        self._pool.shutdown()
        ended = now()
        self._update(
            status=status,
            ended=ended,
            seconds=seconds_between(self.record.started, ended),
            losses=_loss_entry(self.losses, self._job),
            counts=self.record.counts.model_copy(update={"done_steps": len(self.losses)}),
            error=error_entry(error) if error is not None else None,
        )

    def _update(self, **changes: object) -> None:
        self.record = self.record.with_(**changes)
        write_record(self.record, self._job.run.record)


def _hash_base(job: TrainingJob, planned: Plan) -> tuple[str, tuple[FileEntry, ...]]:
    store = base_models.Store(planned.cache)
    base = job.base_model
    if base.format != "diffusers":
        return base.sha256 or store.remembered_sha256(base.path), ()
    files = sorted(file for file in base.path.rglob("*") if file.is_file())
    entries = tuple(
        FileEntry(
            path=file.relative_to(base.path).as_posix(),
            sha256=store.remembered_sha256(file),
            size=file.stat().st_size,
        )
        for file in files
    )
    return "", entries


def _file_entry(entry: FileHash) -> FileEntry:
    return FileEntry(path=str(entry.path), sha256=entry.sha256, size=entry.size)


def _lora_entry(lora: Lora) -> LoraEntry:
    return LoraEntry(
        path=str(lora.path),
        epoch=lora.epoch,
        steps=lora.steps,
        size=lora.size,
        sha256=lora.sha256,
        tensors_sha256=lora.tensors_sha256,
    )


def _loss_entry(losses: Sequence[StepLoss], job: TrainingJob) -> LossEntry:
    numbers = finite_losses(losses)
    if not numbers:
        return LossEntry()
    return LossEntry(
        path=str(job.run.losses),
        steps=len(losses),
        first=numbers[0],
        last=numbers[-1],
        mean=mean_of(numbers),
        minimum=min(numbers),
    )
