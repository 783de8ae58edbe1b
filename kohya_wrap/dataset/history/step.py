"""One step: every change to a file goes through it, is noted first, and is made whole or not at all."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO

from filelock import FileLock, Timeout

from kohya_wrap.dataset.history.journal import Change, StepRecord, read_steps
from kohya_wrap.dataset.history.moving import copy, link, move, size_of, write_new
from kohya_wrap.dataset.history.place import DatasetPlace
from kohya_wrap.errors import DiskFullError, OutputError, ProjectBusyError
from kohya_wrap.files import output_error, sha256_file


class Step:
    """Writes, adds and sets aside files of a dataset. With `dry_run` it counts only, and touches nothing.

    A step that changed nothing leaves no trace. All methods raise OutputError or DiskFullError.
    """

    def __init__(self, place: DatasetPlace, verb: str, arguments: Mapping[str, object], *, dry_run: bool) -> None:
        self.place = place
        self.dry_run = dry_run
        self.counts: Counter[str] = Counter()
        self.fingerprint = ""
        self.record: StepRecord | None = None
        self._verb = verb
        self._arguments = dict(arguments)
        self._journal: TextIO | None = None
        self._kept = self._new = place.history  # until the record has a folder of its own

    def write(self, path: Path, content: str | bytes) -> None:
        """Put `content` into a file, new or not; a file that holds it already is left alone."""
        data = content.encode("utf-8") if isinstance(content, str) else content
        try:
            size = size_of(path)
            if size == len(data) and path.read_bytes() == data:
                return
        except OSError as error:
            raise output_error(error, path) from error
        old = size is not None
        kept = self._begin("replaced" if old else "created", path, hashlib.sha256(data).hexdigest(), keep=old)
        if kept is None:
            return
        try:
            temporary = self._new / kept.name
            write_new(temporary, data)
            self._put(temporary, path)
        except OSError as error:
            raise output_error(error, path) from error

    def add(self, source: Path, target: Path) -> None:
        """Copy a file, with its times, to a name that must be free."""
        kept = self._begin("created", target, "" if self.dry_run else sha256_file(source), keep=False)
        if kept is None:
            return
        try:
            temporary = self._new / kept.name
            shutil.copy2(source, temporary)
            self._put(temporary, target)
        except OSError as error:
            raise output_error(error, target) from error

    def set_aside(self, path: Path) -> None:
        """Move a file out of the dataset into the history."""
        kept = self._begin("aside", path, "", keep=False)
        if kept is None:
            return
        try:
            move(path, kept)
        except OSError as error:
            raise output_error(error, path) from error

    def _put(self, temporary: Path, path: Path) -> None:
        """Give a whole file its name, in a folder that is made; over file systems it is copied beside it first."""
        try:
            temporary.replace(path)
        except OSError:
            path.parent.mkdir(parents=True, exist_ok=True)
            copy(temporary, path)
            temporary.unlink()

    def _begin(self, kind: str, path: Path, sha256: str, *, keep: bool) -> Path | None:
        """Note a change and keep what it replaces; give the place for what is kept, or None in a dry run."""
        self.counts[kind] += 1
        if self.dry_run:
            return None
        try:
            journal = self._opened()
            name = f"{self.counts.total():07d}{path.suffix}"
            kept = self._kept / name
            if keep:
                link(path, kept)
            journal.write(Change(kind, path, name, sha256).line())  # type: ignore[arg-type]  # one of its three words
            journal.flush()
        except OSError as error:
            raise output_error(error, self.place.history) from error
        return kept

    def _opened(self) -> TextIO:
        """Open the record at the first change, and give its journal."""
        if self.record is None or self._journal is None:
            self.record = self._recorded()
            self._kept = self.record.kept
            self._new = self.record.folder / "new"
            self._journal = self.record.changes.open("a", encoding="utf-8")
        return self._journal

    def _recorded(self) -> StepRecord:
        """Make the step's folder, whole or not at all: one without a record would be in the way of the next step."""
        steps = read_steps(self.place.history)
        number = steps[-1].number + 1 if steps else 1
        folder = self.place.history / f"{number:04d}-{self._verb}"
        record = StepRecord(folder, self._verb, self._arguments, str(self.place.folder), _now())
        made = self.place.history / ".beginning"
        shutil.rmtree(made, ignore_errors=True)  # of one that was killed; the history is held by this step
        (made / "kept").mkdir(parents=True)
        (made / "new").mkdir()  # a small folder of its own: a sixth faster than among 100,000 names
        replace(record, folder=made).save()
        made.rename(folder)
        return record

    def __enter__(self) -> "Step":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._journal is not None:
            with suppress(OSError):  # each line is flushed as it is written: only one that failed is left to fail again
                self._journal.close()
        if self.record is None:
            return
        shutil.rmtree(self._new, ignore_errors=True)
        ended = {"finished": _now(), "counts": dict(self.counts), "fingerprint": self.fingerprint}
        if kind is None:
            self.record = self.record.become("done", **ended)
            return
        with suppress(OutputError, DiskFullError):  # it is open already, and what ended it is to be said
            self.record = self.record.become("open", **ended)


@contextmanager
def open_step(
    place: DatasetPlace, verb: str, arguments: Mapping[str, object], *, dry_run: bool = False
) -> Iterator[Step]:
    """Begin a step; two at once in one dataset are refused. Raises ProjectBusyError.

    A step cut short (Ctrl-C, a full disk) stays `open` with what it has done so far, and can be undone.
    """
    if dry_run:
        yield Step(place, verb, arguments, dry_run=True)
        return
    with hold(place), Step(place, verb, arguments, dry_run=False) as step:
        yield step


@contextmanager
def hold(place: DatasetPlace) -> Iterator[None]:
    """Keep others from changing the dataset meanwhile. Raises ProjectBusyError."""
    try:
        place.history.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place.history / ".lock")
        lock.acquire(timeout=0)
    except Timeout as error:
        what = "another step is changing this dataset"
        raise ProjectBusyError(what, where=str(place.folder), todo="wait until it has ended") from error
    except OSError as error:
        raise output_error(error, place.history) from error
    try:
        yield
    finally:
        lock.release()


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
