"""A lock that says what it waits for."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from kohya_wrap.engines.engine import Say


@contextmanager
def waiting_lock(lock: FileLock, what: str, say: Say) -> Iterator[None]:
    """Hold `lock` during the block; where somebody else holds it, say so once and wait."""
    try:
        lock.acquire(timeout=0.2)
    except Timeout:
        say(f"Another setup is working on {what}; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
