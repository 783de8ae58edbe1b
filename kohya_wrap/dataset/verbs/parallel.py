"""Work on many pictures in threads: decoding lets go of the interpreter's lock."""

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")
Report = Callable[[str, int, int], None]
"""Told what is going on, how much of it is done, and of how much."""


def no_report(label: str, done: int, total: int) -> None:
    """Tell nobody."""


def in_threads(
    function: Callable[[Item], Made], items: Sequence[Item], *, label: str = "", report: Report = no_report
) -> Iterator[Made]:
    """Give the results in the order of the items; few are worked out ahead, so that memory stays small.

    An error, or Ctrl-C, ends it at once: what has not begun is dropped. Pillow's warnings are not shown.
    """
    threads = os.cpu_count() or 2
    waiting: deque[Future[Made]] = deque()
    rest = iter(items)
    with warnings.catch_warnings():  # here, for all threads: within them they would undo each other's filters
        warnings.simplefilter("ignore")
        pool = ThreadPoolExecutor(threads)
        try:
            for done in range(len(items)):
                while len(waiting) < 4 * threads and (item := next(rest, None)) is not None:
                    waiting.append(pool.submit(function, item))
                yield waiting.popleft().result()
                report(label, done + 1, len(items))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
