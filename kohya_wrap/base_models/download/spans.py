"""Spans of bytes, `(start, end)` with `end` excluded."""

from collections.abc import Iterable

Span = tuple[int, int]


class Spans:
    """A growing set of spans that do not overlap; adding one takes the same time however many there are."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self.total = 0
        self._end_of: dict[int, int] = {}
        self._start_of: dict[int, int] = {}
        for start, end in _merged(spans):
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """Add a span; neighbours grow together."""
        self.total += end - start
        first = self._start_of.pop(start, start)
        last = self._end_of.pop(end, end)
        self._end_of[first] = last
        self._start_of[last] = first

    @property
    def prefix(self) -> int:
        """How far everything from byte 0 on is there."""
        return self._end_of.get(0, 0)

    def __iter__(self) -> Iterable[Span]:
        return iter(sorted(self._end_of.items()))

    def missing(self, size: int) -> list[Span]:
        """Give what lies between the spans, up to `size`, in order."""
        gaps, at = [], 0
        for start, end in sorted(self._end_of.items()):
            if start > at:
                gaps.append((at, start))
            at = end
        return [*gaps, (at, size)] if at < size else gaps


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif start < end:
            merged.append((start, end))
    return merged
