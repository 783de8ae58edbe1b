"""Small programs that behave as trainings do, and a wrapper process around them."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from kohya_wrap.launch import LaunchPlan, OutputLine

PATIENCE = 20.0
"""Seconds after which something that should have happened has not."""

FAMILY = """
import os, signal, subprocess, sys, time
def note(name, pid):
    with open(os.path.join(FOLDER, name), "w") as file:
        file.write(str(pid))
"""


def plan_for(source: str, folder: Path, **env: str) -> LaunchPlan:
    """Plan to run Python source in `folder`, which the source knows as FOLDER, with next to no environment."""
    return LaunchPlan(
        argv=(sys.executable, "-I", "-u", "-c", f"FOLDER = {str(folder)!r}\n{source}"),
        env={"PATH": os.environ["PATH"], **env},
        cwd=folder,
    )


class Lines(list[OutputLine]):
    """Collects lines."""

    def texts(self, stream: str = "", *, transient: bool | None = None) -> list[str]:
        """Give the texts of one stream, or only those that will (or will not) be overwritten."""
        return [
            line.text
            for line in self
            if line.stream.startswith(stream) and (transient is None or line.transient is transient)
        ]


def pid_from(path: Path) -> int:
    """Wait for a process to note its id in a file."""
    wait_until(lambda: path.exists() and path.read_text().isdigit(), f"{path.name} was never written")
    return int(path.read_text())


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: object, otherwise: str) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]  # a plain callable; the name of its type says nothing more
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)


WRAPPER = """
import signal, sys
from pathlib import Path
from kohya_wrap.launch import LaunchPlan
from kohya_wrap.launch.process import run_process
from kohya_wrap.launch.signals import StopRequestedError
folder = Path(sys.argv[1])
for ignored in sys.argv[2:]:
    signal.signal(int(ignored), signal.SIG_IGN)
plan = LaunchPlan((sys.executable, "-I", "-u", str(folder / "child.py")), {}, folder)
try:
    run_process(plan, on_line=lambda line: print(line.text, flush=True), log=folder / "log", grace=(GRACE, GRACE))
except StopRequestedError as error:
    print("stopped by", error.signum, error.outcome.stopped, flush=True)
"""


@contextlib.contextmanager
def wrapper_around(
    child: str, folder: Path, *, grace: float = 10.0, ignore: tuple[int, ...] = ()
) -> Iterator[subprocess.Popen[str]]:
    """Run a wrapper process whose child runs `child`; it is ready once the child has printed "ready"."""
    (folder / "child.py").write_text(f"FOLDER = {str(folder)!r}\n{FAMILY}\n{child}")
    process = subprocess.Popen(
        (sys.executable, "-c", WRAPPER.replace("GRACE", str(grace)), str(folder), *map(str, ignore)),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
