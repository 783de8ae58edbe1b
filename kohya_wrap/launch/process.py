"""Run one command to its end in a process group of its own, and leave nothing of it behind."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from kohya_wrap.errors import DiskFullError, OutputError
from kohya_wrap.launch.pump import Pump, RunLog
from kohya_wrap.launch.signals import SignalCounter, StopRequestedError
from kohya_wrap.launch.start import guarded, start
from kohya_wrap.launch.tree import ProcessTree
from kohya_wrap.launch.types import LaunchPlan, Outcome, OutputLine

Stage = Literal["interrupt", "terminate", "kill"]

TICK = 0.1
"""Seconds: how long the loop waits for output before it looks at signals and at the process."""
LINGER = 5.0
"""Seconds that helpers (torch's data loader workers) have to notice that the process they served has ended."""
KILL_WAIT = 30.0
"""Seconds to wait for a killed process to be gone; one that the kernel still holds after that is left to it."""


def run_process(
    plan: LaunchPlan,
    *,
    on_line: Callable[[OutputLine], None],
    log: Path,
    grace: tuple[float, float] = (10.0, 10.0),
    on_quiet: Callable[[float], None] | None = None,
) -> Outcome:
    """Run a command and hand each line of its output to `on_line`, in this thread; the whole output goes to `log`.

    Every TICK `on_quiet` is told for how many seconds nothing has come.

    Ctrl-C, SIGTERM and SIGHUP to this process, and any exception of a callback, stop the whole group in stages:
    interrupt, after `grace[0]` seconds terminate, after `grace[1]` kill; another signal skips to the next stage. Then
    StopRequestedError (a KeyboardInterrupt) or that exception is raised, with no process left. If this process is
    killed, a guard ends the group. Raises EngineError where the command cannot be started, OutputError or
    DiskFullError where the log cannot be written.
    """
    if not plan.cwd.is_absolute():
        raise ValueError(f"the working folder must be absolute: {plan.cwd}")
    with SignalCounter() as signals, RunLog(log) as run_log, guarded() as name_group:
        running = _Running(plan, run_log, signals)
        try:
            name_group(running.process.pid)
            running.follow(on_line, on_quiet or _ignore)
        except BaseException as error:
            outcome = running.stop(grace)
            if isinstance(error, StopRequestedError):
                error.outcome = outcome
            raise
        return running.end()


class _Running:
    """A started command, its output and its family of processes."""

    def __init__(self, plan: LaunchPlan, log: RunLog, signals: SignalCounter) -> None:
        self._signals = signals
        self._started = time.monotonic()
        self.process = start(plan)
        if self.process.stdout is None or self.process.stderr is None:
            raise AssertionError("both streams were asked for")
        self._pump = Pump(self.process.stdout, self.process.stderr, log)
        self._tree = ProcessTree(self.process.pid)
        self._linger_until = 0.0

    def follow(self, on_line: Callable[[OutputLine], None], on_quiet: Callable[[float], None]) -> None:
        """Read until the process has ended and nobody writes any more."""
        heard = time.monotonic()
        while True:
            self._raise_if_asked()
            on_quiet(time.monotonic() - heard)
            for line in self._pump.read(TICK):
                on_line(line)
                heard = time.monotonic()
            if not self._ended():
                self._tree.sample_if_due()
                continue
            self._linger_until = self._linger_until or time.monotonic() + LINGER
            if not self._pump.open or time.monotonic() > self._linger_until:
                break
        for line in self._pump.close():
            on_line(line)

    def _ended(self) -> bool:
        if self._pump.open:
            return self.process.poll() is not None
        try:
            self.process.wait(TICK)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _raise_if_asked(self) -> None:
        if self._signals.count:
            raise StopRequestedError(self._signals.signum)

    def end(self) -> Outcome:
        """Give the outcome of a process that ended by itself, once its helpers are gone too."""
        if not self._gone(self._linger_until - time.monotonic()):
            self._stages(((signal.SIGTERM, "terminate", LINGER), (signal.SIGKILL, "kill", KILL_WAIT)))
        self._signals.served = True
        if self._signals.count:
            raise StopRequestedError(self._signals.signum, self._outcome(""))
        return self._outcome("")

    def stop(self, grace: tuple[float, float]) -> Outcome:
        """Stop everything in stages; what is still printed goes to the log only."""
        self._signals.served = True
        stage = self._stages(
            (
                (signal.SIGINT, "interrupt", grace[0]),
                (signal.SIGTERM, "terminate", grace[1]),
                (signal.SIGKILL, "kill", KILL_WAIT),
            )
        )
        with suppress(OutputError, DiskFullError):
            self._drain(self._pump.close())
        return self._outcome(stage)

    def _stages(self, stages: tuple[tuple[signal.Signals, Stage, float], ...]) -> Stage | Literal[""]:
        reached: Stage | Literal[""] = ""
        for signum, stage, seconds in stages:
            if self._gone(0.0):
                break
            self._tree.send(signum)
            reached = stage
            if self._gone(seconds):
                break
        return reached

    def _gone(self, seconds: float) -> bool:
        """Wait up to `seconds`, or until another signal comes, for every process to end; their output is still read."""
        asked = self._signals.count
        deadline = time.monotonic() + seconds
        while True:
            ended = self.process.poll() is not None and not self._tree.alive()
            if ended or time.monotonic() >= deadline or self._signals.count > asked:
                return ended
            # The log may be what failed; the processes must be stopped all the same.
            with suppress(OutputError, DiskFullError):
                self._drain(self._pump.read(TICK) if self._pump.open else iter(()))
            if not self._pump.open:
                time.sleep(TICK / 10)

    @staticmethod
    def _drain(lines: Iterator[OutputLine]) -> None:
        for _ in lines:
            continue

    def _outcome(self, stopped: Stage | Literal[""]) -> Outcome:
        returncode = self.process.poll()
        return Outcome(
            returncode=-signal.SIGKILL if returncode is None else returncode,
            seconds=time.monotonic() - self._started,
            stopped=stopped,
            peak_memory=self._tree.peak_memory,
        )


def _ignore(seconds: float) -> None:
    """Stand in for a caller who does not ask about silence."""
