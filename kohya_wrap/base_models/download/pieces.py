"""Who fetches which range: large pieces first, smaller ones towards the end, always the lowest that is missing.

The lowest first, so that the hash can follow close behind; smaller and smaller, so that all connections end together.
Guided self-scheduling: C. D. Polychronopoulos and D. J. Kuck, IEEE Transactions on Computers C-36 (1987).
"""

import threading

from kohya_wrap.base_models.download.spans import Span

SMALLEST = 1 << 20
LARGEST = 32 << 20


class Pieces:
    """The missing spans of one file, handed out to `workers` connections; to be called from any thread."""

    def __init__(self, missing: list[Span], *, workers: int) -> None:
        self._missing = sorted(missing)
        self._left = sum(end - start for start, end in missing)
        self._workers = workers
        self._in_hand = 0
        self._waiting = 0
        self._stopped = False
        self._changed = threading.Condition()

    def take(self, at_least: int = 0) -> Span | None:
        """Give the next piece, waiting while others may still give one back; None when all is done or stopped.

        `at_least`: bytes that are worth a request of their own on this connection.
        """
        with self._changed:
            self._waiting += 1
            while not self._missing and self._in_hand and not self._stopped:
                self._changed.wait()
            self._waiting -= 1
            return None if self._stopped or not self._missing else self._cut(at_least)

    def give_back(self, rest: Span) -> None:
        """Give back what is left of a piece that was taken: an empty span when it is whole."""
        with self._changed:
            self._in_hand -= 1
            if rest[0] < rest[1]:
                self._missing = sorted([*self._missing, rest])
                self._left += rest[1] - rest[0]
            self._changed.notify_all()

    def retire(self) -> bool:
        """Let one connection go for good; False when it is the last one, which must not."""
        with self._changed:
            if self._workers == 1:
                return False
            self._workers -= 1
            return True

    def should_share(self, left: int) -> bool:
        """Tell whether another connection has nothing to do, and `left` bytes are enough for two."""
        return self._waiting > 0 and not self._missing and left > 2 * SMALLEST

    def stop(self) -> None:
        """Hand out nothing more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _cut(self, at_least: int) -> Span:
        start, end = self._missing[0]
        share = self._left // (2 * self._workers)
        length = min(max(share, SMALLEST, min(at_least, LARGEST)), LARGEST)
        cut = end if end - start < length + SMALLEST // 2 else start + length
        self._missing[:1] = [(cut, end)] if cut < end else []
        self._left -= cut - start
        self._in_hand += 1
        return start, cut
