"""Turns the engine's output, line by line, into typed events. An unknown line is kept as such."""

import re
from dataclasses import dataclass, field

from kohya_wrap.events import EngineFailure, EngineWarning, Event, Phase, PhaseName, UnknownLine
from kohya_wrap.launch.types import OutputLine
from kohya_wrap.sd_scripts.bars import TrainingBar, read_bar
from kohya_wrap.sd_scripts.log_rules import MODEL_SAVED, PHASE_ORDER, Rule, find_rule, is_echo
from kohya_wrap.sd_scripts.rich_lines import LOG_LEVELS, Record, RichLines

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_RANK = re.compile(r"^\[rank\d+\]: ?")
_PYTHON_WARNING = re.compile(r"^\S.*?\.py:\d+: (\w*Warning): (.*)$")
_NAMED = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\|\[\w+\]-(DEBUG|INFO|WARNING|ERROR|CRITICAL): (.*)$")
_TRACEBACK = "Traceback (most recent call last):"
_BAR_SIGN = "%|"


@dataclass(slots=True)
class _Stream:
    """What has to be remembered of one stream: an open record, an open traceback, a warning's second line."""

    rich: RichLines = field(default_factory=RichLines)
    in_traceback: bool = False
    after_warning: bool = False


class LogParser:
    """Reads one run's lines in the order they come; both log styles, bars, tracebacks, interleaved streams.

    Call `close` after the last line: a record that rich wrapped is whole only once something follows it.
    """

    def __init__(self) -> None:
        self._streams = {"stdout": _Stream(), "stderr": _Stream()}
        self._bar = TrainingBar()
        self._phase: PhaseName | None = None

    def feed(self, line: OutputLine) -> list[Event]:
        """Take one line and give its events; none for a blank or a known line that says nothing."""
        text = line.text
        if "\x1b" in text:
            text = _ANSI.sub("", text)
        if "\r" in text:
            pieces = (OutputLine(line.stream, piece, line.seconds, transient=True) for piece in text.split("\r"))
            return [event for piece in pieces for event in self.feed(piece)]
        if text.startswith("steps: "):
            return self._training_bar(text, self._streams[line.stream])
        if _BAR_SIGN in text or "it [" in text:
            bar = read_bar(text, label=self._phase or "")
            if bar is not None:
                return self._other_bar(bar[0], bar[1], self._streams[line.stream])
        return self._text(text, self._streams[line.stream])

    def close(self) -> list[Event]:
        """Give what was held back; nothing follows."""
        events: list[Event] = list(self._bar.flush())
        for stream in self._streams.values():
            events += self._record(stream.rich.flush())
        return events

    def _training_bar(self, text: str, stream: _Stream) -> list[Event]:
        read = self._bar.read(text)
        if read is None:
            other = read_bar(text, label="steps")
            return self._other_bar(other[0], other[1], stream) if other else self._text(text, stream)
        steps, rest = read
        events = self._record(stream.rich.flush()) if stream.rich.is_open else []
        if steps:
            if self._phase != "training":
                events += self._enter("training")
            events += steps
        return events + self._behind_bar(rest, stream) if rest else events

    def _other_bar(self, progress: Event | None, rest: str, stream: _Stream) -> list[Event]:
        events = self._record(stream.rich.flush())
        if progress is not None:
            events.append(progress)
        return events + self._behind_bar(rest, stream)

    def _behind_bar(self, rest: str, stream: _Stream) -> list[Event]:
        """Read what was printed while a bar stood on the line."""
        text = rest.strip()
        if not text:
            return []
        if text.partition(" ")[0] in LOG_LEVELS:
            text = " " * 20 + text
        return self._text(text, stream)

    def _text(self, text: str, stream: _Stream) -> list[Event]:
        was_rich, whole = stream.rich.feed(text)
        events = self._record(whole)
        if was_rich:
            if stream.rich.only_line() == MODEL_SAVED:
                events += self._record(stream.rich.flush())
            return events
        stripped = text.strip()
        if not stripped:
            return events
        if stream.in_traceback or stripped.endswith(_TRACEBACK):
            return events + self._traceback(_RANK.sub("", text), stream)
        if stream.after_warning and text.startswith("  "):
            stream.after_warning = False
            return events
        return events + self._message(stripped, text, stream)

    def _traceback(self, text: str, stream: _Stream) -> list[Event]:
        """A traceback's indented lines are kept as they are; the first line that is not is the exception."""
        if text.startswith((" ", _TRACEBACK)):
            stream.in_traceback = True
            return [UnknownLine(text)]
        stream.in_traceback = False
        return [EngineFailure(text.strip())]

    def _message(self, message: str, text: str, stream: _Stream) -> list[Event]:
        rule = find_rule(message)
        if rule is not None:
            return self._apply(rule, message)
        if is_echo(message):
            return []
        named = _NAMED.match(message)  # LyCORIS has a logger of its own
        if named:
            return self._record(Record(named.group(1), [named.group(2)]))
        warning = _PYTHON_WARNING.match(message)
        if warning:
            stream.after_warning = True
            return [EngineWarning(f"{warning.group(1)}: {warning.group(2)}")]
        return [UnknownLine(text)]

    def _apply(self, rule: Rule, message: str) -> list[Event]:
        if rule.level:
            return [EngineWarning(message) if rule.level == "WARNING" else EngineFailure(message)]
        events: list[Event] = list(self._bar.flush()) if rule.phase in ("saving", "training") else []
        if rule.phase is not None:
            events += self._enter(rule.phase)
        event = rule.event(message) if rule.event is not None else None
        if event is not None:
            events.append(event)
        return events

    def _record(self, record: Record | None) -> list[Event]:
        if record is None:
            return []
        if record.level == "WARNING":
            return [EngineWarning(" ".join(record.lines).strip())]
        if record.level in ("ERROR", "CRITICAL"):
            return [EngineFailure(" ".join(record.lines).strip())]
        events: list[Event] = []
        for line in record.lines:
            message = line.strip()
            if message:
                events += self._message(message, message, self._streams["stderr"])
        return events

    def _enter(self, phase: PhaseName) -> list[Event]:
        if phase == self._phase or self._goes_back(phase):
            return []
        self._phase = phase
        return [Phase(phase)]

    def _goes_back(self, phase: PhaseName) -> bool:
        if phase not in PHASE_ORDER or phase == "training":
            return False
        return self._phase is not None and (
            self._phase not in PHASE_ORDER or PHASE_ORDER.index(phase) < PHASE_ORDER.index(self._phase)
        )
