"""One connection: take a piece, ask for exactly that range, write what comes, again."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from kohya_wrap.base_models.download.answers import read_range
from kohya_wrap.base_models.download.chunks import chunks
from kohya_wrap.base_models.download.link import Link
from kohya_wrap.base_models.download.part import Part
from kohya_wrap.base_models.download.pieces import Pieces
from kohya_wrap.base_models.download.request import FileChangedError
from kohya_wrap.base_models.download.spans import Span
from kohya_wrap.base_models.download.tries import BrokenError, Tries

if TYPE_CHECKING:
    from requests import Response

_SLOW = 8.0
"""Seconds. A connection that needs longer for the rest of its piece shares it with one that has nothing to do."""
_PAUSES_WORTH = 4
"""A piece should take at least so many times as long as the wait for its first byte."""


class Worker:
    """Fetches pieces until none is left, or `stop` is set, or the host wants fewer connections."""

    def __init__(self, link: Link, part: Part, pieces: Pieces, stop: threading.Event, *, patience: float) -> None:
        self._link = link
        self._part = part
        self._pieces = pieces
        self._stop = stop
        self._tries = Tries(patience)
        self._answer: Response | None = None
        self._worth = 0
        self._had = 0

    def run(self) -> None:
        """Work. Raises FileChangedError or a BaseModelError when no other connection can go on either."""
        while (span := self._pieces.take(self._worth)) is not None:
            reached = span[0]
            try:
                for end in self._fetch(span):
                    reached = end
                    self._tries.progress()
            except BrokenError as broken:
                self._pieces.give_back((reached, span[1]))
                if not self._goes_on(broken):
                    return
            else:
                self._pieces.give_back((reached, span[1]))

    def interrupt(self) -> None:
        """Break off a read that waits for bytes."""
        if self._answer is not None:
            with suppress(ValueError, RuntimeError, OSError):  # it ended by itself meanwhile
                self._answer.raw.shutdown()

    def _fetch(self, span: Span) -> Iterator[int]:
        """Write `span`, and give the end of what was written so far, after each chunk."""
        asked, at = time.monotonic(), span[0]
        answer = self._link.open(span, self._part.version)
        self._answer = answer
        began = time.monotonic()
        self._check(answer, span)
        for chunk in chunks(answer):
            if self._stop.is_set():
                break
            self._part.write(at, chunk[: span[1] - at])  # a host that sends more than it was asked for is cut short
            at = min(at + len(chunk), span[1])
            yield at
            if self._should_share(span[1] - at, (at - span[0]) / (time.monotonic() - began)):
                break
        rate = (at - span[0]) / (time.monotonic() - began)
        self._worth = int(rate * (began - asked) * _PAUSES_WORTH)

    def _check(self, answer: "Response", span: Span) -> None:
        version = read_range(answer, span)
        if version is None or not self._part.version.matches(version):
            answer.close()
            raise FileChangedError

    def _should_share(self, left: int, rate: float) -> bool:
        return left > rate * _SLOW and self._pieces.should_share(left)

    def _goes_on(self, broken: BrokenError) -> bool:
        """Wait for the next try; False where the host serves the others and not this one, which then retires."""
        if self._tries.failed == 0:
            self._had = self._part.done.total
        pause = self._tries.pause(broken)
        gives_up = pause is None or (broken.busy and self._tries.failed > 1)
        if gives_up and self._part.done.total > self._had and self._pieces.retire():
            return False
        if pause is None:
            raise broken.error
        self._stop.wait(pause)
        return True
