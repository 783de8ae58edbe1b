"""What a step has done, on disk: written before each change, so that a step cut short can be undone as well.

history/0003-curate/step.json       verb, arguments, times, state
history/0003-curate/changes.jsonl   one line per change, in order, before it is made
history/0003-curate/new/            what is being written, while the step is going on
history/0003-curate/kept/           what was replaced or set aside, under running numbers
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from kohya_wrap.errors import OutputError
from kohya_wrap.files import write_whole

State = Literal["open", "done", "undone"]
"""`open`: the step is going on, or its process died on the way."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step. `fingerprint`: of what it was asked and what it worked on, for steps that a preset repeats."""

    folder: Path
    verb: str
    arguments: dict[str, object]
    dataset: str
    started: str
    finished: str = ""
    state: State = "open"
    counts: dict[str, int] | None = None
    fingerprint: str = ""

    @property
    def number(self) -> int:
        """The step's number, from 1."""
        return int(self.folder.name.partition("-")[0])

    @property
    def kept(self) -> Path:
        """The folder of what was replaced."""
        return self.folder / "kept"

    @property
    def changes(self) -> Path:
        """The file with a line per change."""
        return self.folder / "changes.jsonl"

    def save(self) -> None:
        """Write step.json."""
        content = {key: value for key, value in asdict(self).items() if key != "folder"}
        write_whole(self.folder / "step.json", json.dumps(content, ensure_ascii=False, indent=2) + "\n")

    def become(self, state: State, **changes: object) -> "StepRecord":
        """Give the record in another state, saved."""
        record = replace(self, state=state, **changes)  # type: ignore[arg-type]  # checked by the dataclass's users
        record.save()
        return record


@dataclass(frozen=True, slots=True)
class Change:
    """One file that changed. Paths absolute; `sha256` of what the step put there, empty for `aside`."""

    kind: Literal["replaced", "created", "aside"]
    path: Path
    kept: str = ""
    sha256: str = ""

    def line(self) -> str:
        """Give the change as a line of changes.jsonl."""
        return json.dumps([self.kind, str(self.path), self.kept, self.sha256], ensure_ascii=True) + "\n"


def read_steps(history: Path) -> list[StepRecord]:
    """Give all steps, oldest first. Raises OutputError where one cannot be read."""
    folders = sorted(path for path in history.glob("[0-9]*-*") if path.is_dir()) if history.is_dir() else []
    return [_read_step(folder) for folder in folders if (folder / "step.json").is_file()]


def _read_step(folder: Path) -> StepRecord:
    try:
        return StepRecord(folder=folder, **json.loads((folder / "step.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise OutputError(
            "the step's record cannot be read", where=str(folder / "step.json"), todo="see what is in its kept folder"
        ) from error


def read_changes(record: StepRecord) -> Iterator[Change]:
    """Give a step's changes in order; a last line that was cut short never happened."""
    if not record.changes.is_file():
        return
    with record.changes.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                kind, path, kept, sha256 = json.loads(line)
                yield Change(kind, Path(path), kept, sha256)
