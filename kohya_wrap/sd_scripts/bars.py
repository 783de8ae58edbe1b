"""Reads tqdm's bars. A bar that is redrawn says the same step twice; the training bar is boiled down to one event each.

Source: facts 4.2; tqdm 4.67 to 4.70.
"""

import re
from dataclasses import dataclass

from kohya_wrap.events import Progress, Step

_STEP = re.compile(
    r"steps: +\d+%\|[^|]*\| (\d+)/(\d+) \[[^<]*<[^,]*, +([\d.]+|\?)(s/it|it/s)(?:, ([^\]]*))?\](.*)", re.DOTALL
)
_BAR = re.compile(
    r"(?:([^|%]*?): +)? *\d+%\|[^|]*\| (\d+)/(\d+) \[[^<]*<[^,]*, +(?:[\d.]+|\?)(?:s/it|it/s)[^\]]*\](.*)", re.DOTALL
)
_EMPTY = re.compile(r"(?:[^|%]*?: +)?\d+it \[[^\]]*\](.*)", re.DOTALL)
_LOSS = "avr_loss="
_BROKEN = ("nan", "inf", "-inf")


@dataclass(slots=True)
class TrainingBar:
    """The bar "steps:", seen as steps.

    Each step draws it twice: first with the loss of the step before, then with its own. A drawing whose loss is still
    the old one is held back until the next drawing shows whether it was stale.
    """

    _told: int = 0
    _loss: str = ""
    _held: Step | None = None

    def read(self, text: str) -> tuple[tuple[Step, ...], str] | None:
        """Give the steps that a drawing makes certain, and what stands behind the bar; None: it is no training bar."""
        found = _STEP.match(text)
        if found is None:
            return None
        number, total, rate, unit, postfix, rest = found.groups()
        loss = postfix.rpartition(_LOSS)[2].strip() if postfix and _LOSS in postfix else ""
        step = int(number)
        if step == self._told or step < 1:
            # With accumulation a step is drawn again as its loss goes on; a loss that breaks is told at once.
            broke = loss in _BROKEN and loss != self._loss and step > 0
            return ((self._tell(_step(step, total, loss, rate, unit), loss),) if broke else ()), rest
        drawn = _step(step, total, loss, rate, unit)
        certain: tuple[Step, ...] = ()
        redrawn = False
        if self._held is not None:
            redrawn = self._held.step == step
            if not redrawn:
                certain = (self._tell(self._held, self._loss),)
        if redrawn or loss != self._loss:
            return (*certain, self._tell(drawn, loss)), rest
        self._held = drawn
        return certain, rest

    def flush(self) -> tuple[Step, ...]:
        """Give the step that is held back, if any: nothing more will be said of it."""
        return (self._tell(self._held, self._loss),) if self._held else ()

    def _tell(self, step: Step, loss: str) -> Step:
        self._held = None
        self._told = step.step
        self._loss = loss
        return step


def _step(number: int, total: str, loss: str, rate: str, unit: str) -> Step:
    speed = _number(rate)
    seconds = speed if unit == "s/it" else (1 / speed if speed else None)
    return Step(number, int(total), _number(loss), seconds)


def _number(text: str) -> float | None:
    """Give a number of a bar; None for what is none, such as two programs' words in one line."""
    try:
        return float(text)
    except ValueError:
        return None


def read_bar(text: str, *, label: str) -> tuple[Progress | None, str] | None:
    """Give the progress of any other bar and what stands behind it; None: the text does not begin with a bar.

    `label` names a bar that has no name of its own. A bar of no known length gives no progress.
    """
    found = _BAR.match(text)
    if found:
        name, done, total, rest = found.groups()
        return Progress(name or label, int(done), int(total)), rest
    empty = _EMPTY.match(text)
    return (None, empty.group(1)) if empty else None
