"""Reads both streams of a process at once, in the caller's thread: every byte to the log, every line to the reader."""

import os
import selectors
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, NamedTuple, Self

from kohya_wrap.files import output_error
from kohya_wrap.launch.lines import LineSplitter, Piece
from kohya_wrap.launch.types import OutputLine

_CHUNK = 1 << 16
_LAST_READS = 64
"""Twice what two full pipes hold, in chunks."""


class _Source(NamedTuple):
    name: Literal["stdout", "stderr"]
    splitter: LineSplitter
    stream: IO[bytes]


class RunLog:
    """The log file: nothing is held back, so that it is whole up to the moment anything dies. Raises OutputError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise output_error(error, path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        """Write all of `data`, or raise OutputError or DiskFullError."""
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise output_error(error, self._path) from error


class Pump:
    """Both pipes of a process. The log gets whole lines, so that the streams do not cut into each other."""

    def __init__(self, stdout: IO[bytes], stderr: IO[bytes], log: RunLog) -> None:
        self._log = log
        self._started = time.monotonic()
        self._selector = selectors.DefaultSelector()
        streams: tuple[tuple[Literal["stdout", "stderr"], IO[bytes]], ...] = (("stdout", stdout), ("stderr", stderr))
        for name, stream in streams:
            self._selector.register(stream, selectors.EVENT_READ, _Source(name, LineSplitter(), stream))

    @property
    def open(self) -> bool:
        """Whether any process still holds one of the pipes."""
        return bool(self._selector.get_map())

    def read(self, timeout: float) -> Iterator[OutputLine]:
        """Wait up to `timeout` seconds for output, log it, and give its lines."""
        ready = self._ready(timeout)
        for key in ready:
            source: _Source = key.data
            data = os.read(key.fd, _CHUNK)
            if not data:
                self._let_go(key)
            yield from self._lines(source, source.splitter.feed(data) if data else source.splitter.close())
        if not ready:
            for key in list(self._selector.get_map().values()):
                yield from self._lines(key.data, key.data.splitter.idle())

    def close(self) -> Iterator[OutputLine]:
        """Read what still stands in the pipes, give what has no end too, and let go of them.

        A second time it gives nothing. Bounded, because a stray may go on writing.
        """
        try:
            for _ in range(_LAST_READS):
                if not self._ready(0.0):
                    break
                yield from self.read(0.0)
            for key in self._keys():
                yield from self._lines(key.data, key.data.splitter.close())
        finally:  # also when the log cannot be written
            for key in self._keys():
                self._let_go(key)
            self._selector.close()

    def _keys(self) -> list[selectors.SelectorKey]:
        return list((self._selector.get_map() or {}).values())

    def _ready(self, timeout: float) -> list[selectors.SelectorKey]:
        if self._selector.get_map() is None:
            return []
        return [key for key, _ in self._selector.select(timeout)]

    def _let_go(self, key: selectors.SelectorKey) -> None:
        self._selector.unregister(key.fileobj)
        key.data.stream.close()

    def _lines(self, source: _Source, pieces: list[Piece]) -> Iterator[OutputLine]:
        if raw := b"".join(piece.raw for piece in pieces):
            self._log.write(raw)
        seconds = time.monotonic() - self._started
        for _, text, transient in pieces:
            if text is not None:
                yield OutputLine(source.name, text, seconds, transient)
