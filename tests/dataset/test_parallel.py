"""Work in threads: in order, bounded, and ended at once."""

import threading
import time
import warnings

import pytest

from kohya_wrap.dataset.verbs.parallel import in_threads


def test_results_come_in_order() -> None:
    """Whichever is done first."""

    def slow_first(number: int) -> int:
        time.sleep(0.02 if number == 0 else 0)
        return number * 2

    assert list(in_threads(slow_first, range(50))) == [number * 2 for number in range(50)]


def test_little_is_worked_out_ahead() -> None:
    """A consumer that is slower than the threads does not fill the memory."""
    begun: list[int] = []
    results = in_threads(begun.append, range(10_000))
    next(results)
    time.sleep(0.05)
    assert len(begun) < 1000
    results.close()  # type: ignore[attr-defined]  # a generator


def test_an_error_drops_the_rest() -> None:
    """What has not begun never begins, and no thread stays."""
    begun: list[int] = []

    def fail_at_three(number: int) -> None:
        begun.append(number)
        if number == 3:
            raise ValueError("three")

    with pytest.raises(ValueError, match="three"):
        list(in_threads(fail_at_three, range(10_000)))
    assert len(begun) < 1000
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]


def test_warnings_are_kept_quiet_and_the_filters_come_back() -> None:
    """Threads that set filters of their own would leave them in any state; here an error filter stays one."""

    def warn(number: int) -> int:
        warnings.warn("odd file", UserWarning, stacklevel=1)
        return number

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        assert list(in_threads(warn, range(100))) == list(range(100))
        assert list(warnings.filters) == before


def test_progress_counts_up_to_all() -> None:
    """One report for each item."""
    told: list[tuple[str, int, int]] = []
    list(in_threads(abs, [-1, -2], label="working", report=lambda *each: told.append(each)))
    assert told == [("working", 1, 2), ("working", 2, 2)]
