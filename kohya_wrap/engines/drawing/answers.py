"""What the drawing process says, as pictures that are done and errors."""

import json
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from kohya_wrap.engines.drawing.scripts.lines import MARK
from kohya_wrap.engines.drawing.types import Drawn, OnDrawn, Picture
from kohya_wrap.errors import DrawingError, Problem
from kohya_wrap.launch import OutputLine

KILLED = -9


class Answers:
    """Hears the lines of a drawing process; `end` tells what it came to."""

    def __init__(self, pictures: Sequence[Picture], on_drawn: OnDrawn, log: Path) -> None:
        self._pictures = pictures
        self._on_drawn = on_drawn
        self._log = log
        self._drawn = 0
        self._problems: tuple[Problem, ...] = ()
        self._last_words: deque[str] = deque(maxlen=20)

    def hear(self, line: OutputLine) -> None:
        """Take one line; whatever does not begin with the mark is kept for the case that the process dies."""
        if line.stream == "stdout" and line.text.startswith(MARK):
            self._understand(json.loads(line.text.removeprefix(MARK)))
        elif line.text.strip() and not line.transient:
            self._last_words.append(line.text.strip())

    def _understand(self, message: dict[str, object]) -> None:
        match message:
            case {"drawn": int(number), "seconds": float(seconds), "notes": list(notes)}:
                self._drawn += 1
                self._on_drawn(Drawn(self._pictures[number], seconds, tuple(str(note) for note in notes)))
            case {"problems": list(problems)}:
                self._problems = tuple(Problem(each["where"], each["what"], each["todo"]) for each in problems)

    def end(self, returncode: int) -> None:
        """Raise DrawingError unless every picture is drawn. `returncode`: as launch.Outcome has it."""
        if self._problems:
            first, *others = self._problems
            if others:
                raise DrawingError.of(self._problems, what="the pictures cannot be drawn")
            raise DrawingError(first.what, where=first.where, todo=first.todo)
        if returncode == 0 and self._drawn == len(self._pictures):
            return
        raise DrawingError(self._death(returncode), where=str(self._log), todo=self._todo(returncode))

    def _death(self, returncode: int) -> str:
        count = f"{self._drawn} of {len(self._pictures)} pictures are drawn"
        if returncode == KILLED:
            return f"drawing was killed; {count}"
        words = self._last_words[-1] if self._last_words else "nothing was said"
        return f"drawing ended with code {returncode}; {count}: {words}"

    @staticmethod
    def _todo(returncode: int) -> str:
        if returncode == KILLED:
            return "the system does so when memory runs out: draw smaller pictures, or free some memory"
        return "read the log; kohya-wrap doctor says what the engine's environment lacks"
