"""Room on the disk that is kept while a run goes on, so that its record can be closed on a disk that is full."""

import os
from contextlib import suppress
from pathlib import Path

LEAST = 1 << 16
"""Bytes."""


class Reserve:
    """A file of zeros beside run.json; it is taken away to make room for the record."""

    def __init__(self, record: Path) -> None:
        self._path = record.with_name(f".{record.name}.reserve")

    def hold(self, size: int) -> None:
        """Keep room for a record of `size` bytes to be written twice. A disk without that room is no reason to stop."""
        with suppress(OSError), self._path.open("wb") as file:
            file.write(bytes(max(LEAST, 2 * size)))
            file.flush()
            os.fsync(file.fileno())

    def release(self) -> None:
        """Give the room back."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
