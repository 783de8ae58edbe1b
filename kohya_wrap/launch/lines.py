"""Cuts the bytes of one stream into lines: at newlines, at carriage returns, and at a bound where neither comes."""

import codecs
from typing import NamedTuple

LONGEST_LINE = 1 << 16
"""Bytes. What is longer is handed on in parts of this size, so that no line can eat the memory."""


class Piece(NamedTuple):
    """What a cut gives: `raw` for the log, `text` for the reader (None: nothing new to say)."""

    raw: bytes
    text: str | None
    transient: bool


class LineSplitter:
    """Keeps what has no end yet. `feed` new bytes, say `idle` when none come, `close` at the end of the stream."""

    def __init__(self) -> None:
        self._pending = b""
        self._shown = b""

    def feed(self, data: bytes) -> list[Piece]:
        """Take the next bytes and give what they finish."""
        lines = (self._pending + data).splitlines(keepends=True)
        # A last carriage return stays: a newline may follow it and make it an ordinary line end.
        self._pending = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        pieces = [piece for line in lines for piece in self._cut(line)]
        while len(self._pending) > LONGEST_LINE:
            part, self._pending = self._pending[:LONGEST_LINE], self._pending[LONGEST_LINE:]
            pieces.append(Piece(part, _decode(part), transient=False))
        return pieces

    def idle(self) -> list[Piece]:
        """Give an unfinished line as it stands, once: a bar waits for its next update without ending its line."""
        if not self._pending or self._pending == self._shown:
            return []
        self._shown = self._pending
        # Not final: the first bytes of a character whose rest is still to come are left out.
        text = codecs.getincrementaldecoder("utf-8")("replace").decode(self._pending).rstrip("\r")
        return [Piece(b"", text, transient=True)] if text.strip() else []

    def close(self) -> list[Piece]:
        """Give what is left when the stream ends."""
        left, self._pending = self._pending, b""
        return self._cut(left) if left else []

    def _cut(self, line: bytes) -> list[Piece]:
        if len(line) > LONGEST_LINE:
            parts = [line[at : at + LONGEST_LINE] for at in range(0, len(line), LONGEST_LINE)]
            return [Piece(part, _decode(part), transient=False) for part in parts]
        transient = line.endswith(b"\r")
        shown, self._shown = self._shown, b""
        if transient and (line in (shown, shown + b"\r") or not line.strip()):
            return [Piece(line, None, transient=True)]
        return [Piece(line, _decode(line), transient)]


def _decode(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r\n")
