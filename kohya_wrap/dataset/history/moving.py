"""Files written, copied, linked and moved, also from one file system to another. All raise OSError."""

import os
import shutil
import stat
from pathlib import Path


def size_of(path: Path) -> int | None:
    """Give a file's size in bytes; None where there is no file."""
    try:
        state = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return state.st_size if stat.S_ISREG(state.st_mode) else None


def write_new(path: Path, data: bytes) -> None:
    """Write a file, without the buffers of `open`: 100,000 captions are written one by one."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(number, rest) :]
    finally:
        os.close(number)


def link(path: Path, kept: Path) -> None:
    """Keep a file's content under a second name, without copying where the file system can."""
    try:
        os.link(path, kept)
    except OSError:
        copy(path, kept)


def copy(path: Path, target: Path) -> None:
    """Copy a file, with its times, whole or not at all."""
    beside = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        shutil.copy2(path, beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def move(path: Path, target: Path) -> None:
    """Rename a file; between file systems it is copied, then removed."""
    try:
        path.rename(target)
    except OSError:
        copy(path, target)
        path.unlink()
