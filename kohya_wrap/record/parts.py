"""The parts of a run that was interrupted and resumed: each is a run of its own, with its own record."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.errors import Problem
from kohya_wrap.files import sha256_file
from kohya_wrap.record.model import ContinuedEntry, FileEntry, RunRecord, read_record


@dataclass(frozen=True, slots=True)
class Part:
    """What counts of one part: its epochs after `epochs_before`, up to where the next part took over.

    `uncounted`: steps of the parts before it that are missing in its engine's numbers.
    """

    record: RunRecord
    uncounted: int
    epochs_before: int
    until_step: int
    until_epoch: int


def parts_of(continued: ContinuedEntry | None, runs: Path) -> list[Part]:
    """Give the parts that a run goes on from, oldest first; `runs` is the folder of the project's runs.

    Raises OutputError where the record of one is gone.
    """
    if continued is None:
        return []
    record = read_record(runs / continued.run / "run.json")
    before = record.continued
    part = Part(
        record,
        uncounted=before.unknown_to_engine if before else 0,
        epochs_before=before.epoch if before else 0,
        until_step=continued.steps,
        until_epoch=continued.epoch,
    )
    return [*parts_of(before, runs), part]


def changed_files(entries: Iterable[FileEntry]) -> Iterator[Problem]:
    """Say which recorded files are gone, or are others than when the run began."""
    for entry in entries:
        path = Path(entry.path)
        if not path.is_file():
            yield Problem(entry.path, "is no longer there", "put it back")
        elif sha256_file(path) != entry.sha256:
            yield Problem(entry.path, f"has changed: its SHA256 was {entry.sha256}", "put the old one back")
