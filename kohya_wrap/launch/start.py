"""Starting a command in a session of its own, and the guard that outlives a killed wrapper."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kohya_wrap.errors import EngineError
from kohya_wrap.launch.environment import clean_environment
from kohya_wrap.launch.types import LaunchPlan

PIPE_SIZE = 1 << 20
"""Bytes that the kernel holds for a reader that is busy (Linux; elsewhere it has its own size)."""
GUARD = Path(__file__).with_name("guard.py")


def start(plan: LaunchPlan) -> subprocess.Popen[bytes]:
    """Start the command as the leader of a new group, both outputs piped, no input. Raises EngineError."""
    try:
        return subprocess.Popen(
            plan.argv,
            cwd=plan.cwd,
            env=dict(plan.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            pipesize=PIPE_SIZE,
        )
    except OSError as error:
        raise EngineError(
            f"cannot be started: {error.strerror}",
            where=plan.argv[0],
            todo=f"check that it is there, may be run, and that the folder {plan.cwd} exists",
        ) from error


@contextmanager
def guarded() -> Iterator[Callable[[int], None]]:
    """Run the guard beside the block; it is told the group as soon as there is one."""
    guard = subprocess.Popen(
        (sys.executable, "-I", "-S", str(GUARD)),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        bufsize=0,
        env=clean_environment(os.environ, add={}),
    )

    def name_group(pid: int) -> None:
        if guard.stdin is not None:
            with suppress(BrokenPipeError):
                guard.stdin.write(f"{pid}\n".encode())

    try:
        yield name_group
    finally:
        # Killed before its pipe is closed: it must not take the end of this block for the end of the wrapper.
        guard.kill()
        guard.wait()
        if guard.stdin is not None:
            guard.stdin.close()
