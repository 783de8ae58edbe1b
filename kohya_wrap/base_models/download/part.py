"""The temporary file and its journal.

NAME.part          as large as the whole file from the start, so that the disk cannot fill up half-way
NAME.part.done     a line that says which version of the file this is, then a line for each span that was written

A line is appended after its bytes were written, and never changed: whenever the process is killed, what the journal
says is there is there. A torn line is ignored; a torn first line makes the journal worth nothing.
"""

import errno
import json
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from kohya_wrap.base_models.download.request import Version
from kohya_wrap.base_models.download.spans import Span, Spans
from kohya_wrap.base_models.errors import StoreDiskFullError


class Part:
    """The file being fetched. `write` may be called from several threads; `grown` tells a waiting one of new bytes."""

    def __init__(self, target: Path, version: Version, done: Spans) -> None:
        self.version = version
        self.done = done
        self.resumed = done.total > 0
        self.grown = threading.Condition()
        self._holders = 1
        self._target = target
        self.path, self._journal_path = part_paths(target)
        self.fd = os.open(self.path, os.O_RDWR)
        self._journal = os.open(self._journal_path, os.O_WRONLY | os.O_APPEND)

    @classmethod
    def create(cls, target: Path, version: Version) -> "Part":
        """Start anew: drop what is there, check the disk's room, take it. Raises StoreDiskFullError."""
        discard(target)
        path, journal = part_paths(target)
        check_room(path.parent, version.size)
        try:
            _allocate(path, version.size)
            journal.write_text(json.dumps({**asdict(version), "boot": boot()}) + "\n", encoding="utf-8")
        except BaseException:
            discard(target)
            raise
        return cls(target, version, Spans())

    @classmethod
    def load(cls, target: Path, *, hash_is_known: bool) -> "Part | None":
        """Take up what an earlier process left, or give None.

        After a crash of the whole machine the journal may know more than the disk, and a host that names no version
        may have another file by now: then it is taken up only when a known hash will tell.
        """
        path, journal = part_paths(target)
        try:
            first, *lines = journal.read_text(encoding="utf-8").splitlines()
            head = json.loads(first)
            version = Version(int(head["size"]), str(head["etag"]), str(head["modified"]))
            can_tell = hash_is_known or (head["boot"] == boot() and bool(version.etag or version.modified))
            usable = path.stat().st_size == version.size and can_tell
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return cls(target, version, Spans(_spans(lines, version.size))) if usable else None

    def write(self, start: int, chunk: bytes) -> None:
        """Write `chunk` at `start`, then say so in the journal."""
        if not chunk:
            return
        end, view = start, memoryview(chunk)
        while view:
            written = os.pwrite(self.fd, view, end)
            end, view = end + written, view[written:]
        os.write(self._journal, f"{start} {end}\n".encode())
        with self.grown:
            self.done.add(start, end)
            self.grown.notify_all()

    def missing(self) -> list[Span]:
        """Give the spans that are still to be fetched, in order."""
        return self.done.missing(self.version.size)

    def finish(self) -> None:
        """Give the whole file its name, once it is on the disk."""
        os.fsync(self.fd)
        self.path.replace(self._target)
        self._journal_path.unlink(missing_ok=True)

    def hold(self) -> None:
        """Keep the file open for one thread more."""
        with self.grown:
            self._holders += 1

    def release(self) -> None:
        """Let go; the last one closes the files, for a thread that hangs must not write into another file's number."""
        with self.grown:
            self._holders -= 1
            if self._holders:
                return
        os.close(self.fd)
        os.close(self._journal)


def part_paths(target: Path) -> tuple[Path, Path]:
    """Give the paths of the temporary file and of its journal."""
    return target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.part.done")


def discard(target: Path) -> None:
    """Remove what was fetched so far; the journal first, for it speaks of the file."""
    path, journal = part_paths(target)
    journal.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def check_room(folder: Path, needed: int) -> None:
    """Raise StoreDiskFullError when `folder` has no room for `needed` bytes."""
    if needed > shutil.disk_usage(folder).free:
        raise no_room(folder, needed)


def no_room(folder: Path, needed: int) -> StoreDiskFullError:
    """Build the error for a full disk; `needed` in bytes, 0 when nobody knows."""
    free = shutil.disk_usage(folder).free
    what = f"the file needs {_large(needed)}" if needed else "the file does not fit on the disk"
    todo = "free some space, or set KOHYA_WRAP_HOME to a larger disk; what is there is kept and gone on from"
    return StoreDiskFullError(f"{what}, {_large(free)} are free", where=str(folder), todo=todo)


def _large(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def boot() -> str:
    """Name this start of the machine; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _allocate(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)
        if size and hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                if error.errno not in {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}:  # some file systems cannot
                    raise


def _spans(lines: list[str], size: int) -> Iterator[Span]:
    for line in lines:
        start, _, end = line.partition(" ")
        if start.isdigit() and end.isdigit() and int(start) < int(end) <= size:
            yield int(start), int(end)
