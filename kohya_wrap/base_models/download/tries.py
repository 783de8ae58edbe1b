"""How often a connection is tried again, and after which pause."""

import random
from dataclasses import dataclass

from kohya_wrap.errors import BaseModelError

MOST = 8
"""Tries in a row without a single new byte: about a minute of pauses in all."""
MOST_AT_FIRST = 3
"""Tries while nothing has come at all: a wrong address or a missing network should say so in seconds."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
LONGEST_RETRY_AFTER = 120.0
"""Seconds. A host that wants more is not waited for."""


class BrokenError(Exception):
    """A try failed in a way that may pass; `error` is what to raise when it does not. Never leaves the downloader.

    `busy`: the host wants fewer requests. `wait`: the seconds that it asks for.
    """

    def __init__(self, error: BaseModelError, *, busy: bool = False, wait: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.busy = busy
        self.wait = wait


@dataclass
class Tries:
    """Counts the tries of one connection. `patience` stretches the pauses; 0 for tests."""

    patience: float = 1.0
    most: int = MOST
    failed: int = 0

    def progress(self) -> None:
        """Say that bytes came: the count starts again."""
        self.failed = 0

    def pause(self, broken: BrokenError) -> float | None:
        """Give the seconds to wait before the next try, or None when there should be none."""
        self.failed += 1
        if self.failed >= self.most or broken.wait > LONGEST_RETRY_AFTER:
            return None
        pause: float = min(FIRST_PAUSE * 2 ** (self.failed - 1), LONGEST_PAUSE) * random.uniform(0.75, 1.25)  # noqa: S311
        return max(pause, broken.wait) * self.patience
