"""A process with everything that came from it: its group, and those who left the group but not the family."""

import os
import signal
import time
from contextlib import suppress

import psutil

SAMPLE_EVERY = 1.0
"""Seconds between two looks at the tree; one look costs a few milliseconds."""


class ProcessTree:
    """The group led by `leader`, and every descendant ever seen, by process id and start time.

    torch's elastic launcher, which accelerate uses for several GPUs, puts each worker into a session of its own, so
    the group alone does not hold everything.
    """

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self._strays: dict[int, psutil.Process] = {}
        self._next_sample = time.monotonic() + SAMPLE_EVERY / 4
        self.peak_memory = 0

    def sample_if_due(self) -> None:
        """Look at the tree, at most once per SAMPLE_EVERY."""
        if time.monotonic() >= self._next_sample:
            self.sample()

    def sample(self) -> None:
        """Remember who has left the group, and the tree's resident memory (shared pages count once per process)."""
        self._next_sample = time.monotonic() + SAMPLE_EVERY
        memory = 0
        for process in self._family():
            try:
                memory += process.memory_info().rss
                if os.getpgid(process.pid) != self._leader:
                    self._strays[process.pid] = process
            except (psutil.Error, ProcessLookupError):
                continue
        self.peak_memory = max(self.peak_memory, memory)

    def alive(self) -> bool:
        """Whether any process of the group or any stray still runs; a zombie does not."""
        return bool(self._group()) or any(_runs(stray) for stray in self._strays.values())

    def send(self, signum: signal.Signals) -> None:
        """Signal the group as a whole, then each stray."""
        self.sample()
        if self._group():
            with suppress(ProcessLookupError):
                os.killpg(self._leader, signum)
        for stray in self._strays.values():
            with suppress(psutil.NoSuchProcess):
                stray.send_signal(signum)

    def _family(self) -> list[psutil.Process]:
        roots = [*self._group(), *(stray for stray in self._strays.values() if _runs(stray))]
        family = {root.pid: root for root in roots}
        for root in roots:
            try:
                family.update((child.pid, child) for child in root.children(recursive=True))
            except psutil.Error:
                continue
        return list(family.values())

    def _group(self) -> list[psutil.Process]:
        members = []
        for pid in psutil.pids():
            try:
                if os.getpgid(pid) == self._leader:
                    members.append(psutil.Process(pid))
            except (psutil.Error, ProcessLookupError, PermissionError):
                continue
        return [member for member in members if _runs(member)]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
