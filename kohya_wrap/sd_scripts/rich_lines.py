"""Takes rich's layout off log lines: time, level, source file, wrapping at the console's width."""

import re
from dataclasses import dataclass, field

_START = re.compile(r"^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d| {19}) (DEBUG|INFO|WARNING|ERROR|CRITICAL) {1,5}(.*)$")
_SOURCE = re.compile(r"^(.*?) +([\w.]+\.py:\d+) *$")
_COLUMN = 29
_INDENT = " " * _COLUMN

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(slots=True)
class Record:
    """One log record. A block that the engine logs in one piece has several `lines`."""

    level: str
    lines: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RichLines:
    """Puts a record's lines together again; a record is whole once something else follows it.

    rich breaks a long line at a space, which it drops, or, where a word is longer than the column, inside it: a line
    that one word fills to the last place is joined without a space. Source: facts 4.1, rich.logging at 14.1.
    """

    _record: Record | None = None
    _width: int = 0
    _chopped: bool = False

    def feed(self, text: str) -> tuple[bool, Record | None]:
        """Take a line. Gives whether it was rich's, and the record that this line shows to be whole."""
        if text.startswith(_INDENT) and self._record is not None:
            self._continue(text[_COLUMN:])
            return True, None
        start = _START.match(text)
        if start is None:
            return False, self.flush()
        whole = self.flush()
        self._open(start.group(1), start.group(2))
        return True, whole

    @property
    def is_open(self) -> bool:
        """Whether a record waits to be whole."""
        return self._record is not None

    def flush(self) -> Record | None:
        """Give the record that is open, if any, as whole."""
        whole, self._record = self._record, None
        return whole

    def only_line(self) -> str:
        """Give the open record's text while it has one line; a word that ends a run must not wait for the next."""
        return self._record.lines[0] if self._record and len(self._record.lines) == 1 else ""

    def _open(self, level: str, rest: str) -> None:
        source = _SOURCE.match(rest)
        message = source.group(1) if source else rest
        # The source file stands at the right edge, one space after the message's column.
        self._width = len(rest) - len(source.group(2)) - 1 if source else len(rest)
        self._record = Record(level, [message.rstrip()])
        self._chopped = self._is_chopped(message.rstrip())

    def _continue(self, text: str) -> None:
        if self._record is None:
            return
        line = text.rstrip()
        if self._chopped:
            self._record.lines[-1] += line
        elif line.startswith(" ") or not line or self._starts_anew(line):
            self._record.lines.append(line)
        else:
            self._record.lines[-1] += f" {line}"
        self._chopped = self._is_chopped(line)

    def _is_chopped(self, line: str) -> bool:
        """Say whether a line ends inside a word: it fills the column, and holds nothing but that word."""
        return len(line) >= self._width and " " not in line.strip()

    def _starts_anew(self, line: str) -> bool:
        """Blocks ("[Dataset 0]", then indented settings) keep their lines; prose is joined."""
        return bool(self._record) and line.startswith("[")
