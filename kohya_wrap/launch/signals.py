"""Turns the signals that ask the wrapper to stop into a count that a loop looks at, and an exception at its end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from kohya_wrap.launch.types import Outcome

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequestedError(KeyboardInterrupt):
    """The wrapper was asked to stop by `signum`, and has stopped what it had started; `outcome` is how that ended."""

    def __init__(self, signum: int, outcome: Outcome | None = None) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum
        self.outcome = outcome


class SignalCounter:
    """Counts stop signals while its block runs, instead of raising in the middle of whatever was going on.

    A second signal while the first is still unserved raises after all, so that a hanging callback can be left.
    Signals that the caller ignores (nohup) stay ignored, and outside the main thread nothing is changed.
    """

    def __init__(self) -> None:
        self.count = 0
        self.signum = 0
        self.served = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for signum in STOP_SIGNALS:
                before = signal.getsignal(signum)
                if before not in (signal.SIG_IGN, None):
                    self._before[signum] = before
                    signal.signal(signum, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for signum, before in self._before.items():
            signal.signal(signum, before)  # type: ignore[arg-type]  # what getsignal gave

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.count += 1
        self.signum = signum
        if self.count > 1 and not self.served:
            raise StopRequestedError(signum)


@contextmanager
def raise_on_stop_signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise StopRequestedError while the block runs, as SIGINT does KeyboardInterrupt.

    For the steps around a launch (downloads, checks, the record), so that they are closed as after Ctrl-C.
    """

    def stop(signum: int, frame: FrameType | None) -> None:
        raise StopRequestedError(signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_DFL]
    for signum in wanted:
        signal.signal(signum, stop)
    try:
        yield
    finally:
        for signum in wanted:
            signal.signal(signum, signal.SIG_DFL)
