"""run.json: opened before the launch, written whole at every change, closed after it, read back with its status."""

import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kohya_wrap.errors import KohyaWrapError, OutputError
from kohya_wrap.files import write_whole

Status = Literal["running", "succeeded", "failed", "interrupted", "crashed"]
FORMAT = 1


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class FileEntry(_Part):
    """A file that went in, with its SHA256 in hex and its size in bytes."""

    path: str
    sha256: str = ""
    size: int = 0


class BaseModelEntry(_Part):
    """The base model; `files` lists a diffusers folder's files, paths relative to it.

    `source`: link or path as given. `pinned`: a link to the very same version, where it was fetched.
    """

    path: str
    format: str
    family: str
    source: str = ""
    pinned: str = ""
    sha256: str = ""
    size: int = 0
    files: tuple[FileEntry, ...] = ()


class LoraEntry(_Part):
    """A LoRA that came out. `tensors_sha256` covers the tensor bytes only (AutoV3), so it is the same for a repeat."""

    path: str
    epoch: int
    steps: int
    size: int
    sha256: str
    tensors_sha256: str


class ProcessEntry(_Part):
    """The wrapper's process, so that a reader can tell a running run from one that died."""

    pid: int
    created: float
    host: str

    @classmethod
    def current(cls) -> "ProcessEntry":
        """Describe this process."""
        return cls(pid=os.getpid(), created=psutil.Process().create_time(), host=socket.gethostname())

    def alive(self) -> bool:
        """Whether that very process still runs; a process on another host is taken to."""
        if self.host != socket.gethostname():
            return True
        try:
            return abs(psutil.Process(self.pid).create_time() - self.created) < 1.0
        except psutil.NoSuchProcess:
            return False


class PresetEntry(_Part):
    """What the user asked for: where it was read, what was overridden, as stated and as resolved."""

    name: str
    path: str
    overrides: tuple[str, ...] = ()
    stated: dict[str, object] = Field(default_factory=dict)
    resolved: dict[str, object] = Field(default_factory=dict)


class EngineEntry(_Part):
    """Which engine ran, at which commit, with which packages."""

    name: str
    commit: str
    python: str
    versions: dict[str, str] = Field(default_factory=dict)


class LaunchEntry(_Part):
    """The command as it ran; secrets are not in it."""

    argv: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    cwd: str = ""
    training_config: str = ""
    dataset_config: str = ""
    accelerate_config: str = ""


class CountsEntry(_Part):
    """Pictures times repeats, and steps: as planned, and as done (0 while running)."""

    train_images: int = 0
    reg_images: int = 0
    batches_per_epoch: int = 0
    epochs: int = 0
    planned_steps: int = 0
    done_steps: int = 0


class LossEntry(_Part):
    """The losses of the run; every step's lies in the CSV file `path`."""

    path: str = ""
    steps: int = 0
    first: float | None = None
    last: float | None = None
    mean: float | None = None
    minimum: float | None = None


class ErrorEntry(_Part):
    """Why a run did not succeed, as it was shown."""

    kind: str
    exit_code: int
    message: str
    problems: tuple[str, ...] = ()


class OutcomeEntry(_Part):
    """How the engine's process ended; memory in bytes, time in seconds."""

    returncode: int | None = None
    stopped: str = ""
    seconds: float = 0.0
    peak_memory: int = 0


class ContinuedEntry(_Part):
    """What a run goes on from: the run before, its state folder, and the whole epochs and the steps done by then.

    `uncounted`: how many of the steps the engine does not count; None in records of before 2026-11-23: all of them.
    `changed`: settings that are others than those the run began with, as it was allowed.
    """

    run: str
    state: str
    epoch: int
    steps: int
    uncounted: int | None = None
    changed: tuple[str, ...] = ()

    @property
    def unknown_to_engine(self) -> int:
        """Steps that are missing in the engine's own numbers."""
        return self.steps if self.uncounted is None else self.uncounted


class SampleEntry(_Part):
    """A test picture. `prompt`: its number in the list, from 1. `epoch`: 0 for the base model alone, weight 0."""

    path: str
    prompt: int
    epoch: int
    weight: float


class SamplesEntry(_Part):
    """The test pictures of a run and their grids. `seconds`: to draw them, the model's loading included.

    `error`: why some were not drawn.
    """

    draw_with: str = ""
    pictures: tuple[SampleEntry, ...] = ()
    grids: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""


class RunRecord(_Part):
    """Everything a run can be believed and repeated by. Times are UTC, ISO 8601."""

    format: int = FORMAT
    id: str
    project: str
    folder: str
    status: Status = "running"
    wrapper_version: str
    started: str
    ended: str = ""
    seconds: float = 0.0
    seed: int
    process: ProcessEntry
    preset: PresetEntry
    engine: EngineEntry
    launch: LaunchEntry = LaunchEntry()
    hardware: dict[str, object] = Field(default_factory=dict)
    choices: dict[str, object] = Field(default_factory=dict)
    dataset: tuple[FileEntry, ...] = ()
    base_model: BaseModelEntry
    continued: ContinuedEntry | None = None
    counts: CountsEntry = CountsEntry()
    losses: LossEntry = LossEntry()
    warnings: tuple[str, ...] = ()
    outcome: OutcomeEntry = OutcomeEntry()
    error: ErrorEntry | None = None
    loras: tuple[LoraEntry, ...] = ()
    samples: SamplesEntry = SamplesEntry()
    log: str = ""

    def with_(self, **changes: object) -> "RunRecord":
        """Give a copy with some fields replaced."""
        return self.model_copy(update=changes)


def now() -> str:
    """Give the time in UTC as ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def write_record(record: RunRecord, path: Path) -> None:
    """Write run.json whole or not at all. Raises OutputError."""
    write_whole(path, json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")


def read_record(path: Path) -> RunRecord:
    """Read run.json; one that was never closed and whose process is gone reads as `crashed`. Raises OutputError."""
    try:
        record = RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise OutputError("is not a run record", where=str(path), todo="give the folder of a run, or its id") from error
    if record.status == "running" and not record.process.alive():
        return record.with_(status="crashed")
    return record


def find_records(root: Path) -> Iterator[tuple[Path, RunRecord | OutputError]]:
    """Yield (folder, record) of every run below `root`, oldest first; an unreadable record as its error."""
    patterns = ("Loras/*/runs/*/run.json", "lora_training/runs/*/*/run.json")
    files = [file for pattern in patterns for file in root.glob(pattern)]
    for file in sorted(files, key=lambda path: path.parent.name):
        try:
            yield file.parent, read_record(file)
        except OutputError as error:
            yield file.parent, error


def error_entry(error: BaseException) -> ErrorEntry:
    """Describe an error for the record."""
    if isinstance(error, KohyaWrapError):
        problems = tuple(str(problem) for problem in error.problems)
        return ErrorEntry(kind=type(error).__name__, exit_code=error.exit_code, message=str(error), problems=problems)
    return ErrorEntry(kind=type(error).__name__, exit_code=1, message=str(error) or type(error).__name__)
