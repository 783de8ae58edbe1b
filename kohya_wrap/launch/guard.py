"""Ends a process group when the wrapper that started it is gone. Run as a script of its own; imports nothing of ours.

The kernel's parent-death signal would reach accelerate's launcher alone, and the training below it would go on with the
GPU; so a second small process waits for the end of a pipe that only the wrapper holds open. Its first line names the
group. Signals to the terminal or the group do not reach it, because it leads a session of its own.
"""

import os
import signal
import sys
import time

GRACE = 10.0


def main() -> None:
    """Wait for the wrapper's end, then stop the group: terminate, and after GRACE seconds kill."""
    first, *_ = sys.stdin.read().splitlines() or [""]
    if not first.isdigit():
        return
    group = int(first)
    deadline = time.monotonic() + GRACE
    try:
        os.killpg(group, signal.SIGTERM)
        while time.monotonic() < deadline:
            time.sleep(0.1)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    main()
