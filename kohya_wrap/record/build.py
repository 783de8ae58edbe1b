"""From a job and its launch to the record of the run, before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from kohya_wrap._version import __version__
from kohya_wrap.config import Hardware, TrainConfig
from kohya_wrap.engines.engine import EngineStatus
from kohya_wrap.launch import LaunchPlan, Outcome
from kohya_wrap.launch.redact import recorded_argv, recorded_env
from kohya_wrap.record.model import (
    BaseModelEntry,
    CountsEntry,
    EngineEntry,
    FileEntry,
    LaunchEntry,
    OutcomeEntry,
    PresetEntry,
    ProcessEntry,
    RunRecord,
    now,
)
from kohya_wrap.sd_scripts.job import TrainingJob


def open_record(
    job: TrainingJob, *, preset: PresetEntry, engine: EngineEntry, hardware: Hardware, dataset: Sequence[FileEntry]
) -> RunRecord:
    """Describe a run that is about to start."""
    dataset_counts = job.dataset
    return RunRecord(
        id=job.run.id,
        project=job.config.setup.project_name,
        folder=str(job.run.folder),
        wrapper_version=__version__,
        started=now(),
        seed=job.config.training.seed,
        process=ProcessEntry.current(),
        preset=preset,
        engine=engine,
        hardware=asdict(hardware),
        choices={key: value for key, value in asdict(job.choices).items() if key != "reasons"},
        dataset=tuple(dataset),
        base_model=_base_model(job),
        counts=CountsEntry(
            train_images=dataset_counts.train_images,
            reg_images=dataset_counts.reg_images,
            batches_per_epoch=job.steps.batches_per_epoch,
            epochs=job.steps.epochs,
            planned_steps=job.steps.total_steps,
        ),
        log=str(job.run.log),
    )


def engine_entry(name: str, status: EngineStatus) -> EngineEntry:
    """Describe the engine that is about to run."""
    return EngineEntry(
        name=name, commit=status.commit, python=str(status.python), versions=dict(sorted(status.versions.items()))
    )


def launch_entry(plan: LaunchPlan, *, files: Mapping[str, str]) -> LaunchEntry:
    """Describe the command; `files` holds the text of the three config files by their field names."""
    return LaunchEntry(argv=recorded_argv(plan), env=recorded_env(plan), cwd=str(plan.cwd), **files)


def outcome_entry(outcome: Outcome) -> OutcomeEntry:
    """Describe how the engine's process ended."""
    return OutcomeEntry(
        returncode=outcome.returncode,
        stopped=outcome.stopped,
        seconds=round(outcome.seconds, 3),
        peak_memory=outcome.peak_memory,
    )


def preset_entry(
    name: str, path: str, *, overrides: Sequence[str], stated: Mapping[str, object], config: TrainConfig
) -> PresetEntry:
    """Describe what the user asked for."""
    return PresetEntry(
        name=name,
        path=path,
        overrides=tuple(overrides),
        stated=dict(stated),
        resolved=config.model_dump(mode="json"),
    )


def _base_model(job: TrainingJob) -> BaseModelEntry:
    base = job.base_model
    return BaseModelEntry(
        path=str(base.path),
        format=base.format,
        family=base.family,
        source=base.source,
        sha256=base.sha256,
        size=base.size,
    )
