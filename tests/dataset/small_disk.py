"""A file system of its own that is soon full, on folders of a test."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, *, kib: int) -> Iterator[None]:
    """Give a folder, made here, a file system of so many KiB while the block runs; skip where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    argv = ("mount", "-t", "tmpfs", "-o", f"size={kib}k", "none", str(folder))
    try:
        subprocess.run(argv, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root can mount a small file system")
    try:
        yield
    finally:
        subprocess.run(("umount", "--lazy", str(folder)), check=True)


def fill(folder: Path, *, leave: int = 0) -> None:
    """Leave so many bytes free, in pages of 4 KiB."""
    (folder / "balloon").write_bytes(bytes(shutil.disk_usage(folder).free - leave))


def make_room(folder: Path) -> None:
    """Give the file system 4 MiB."""
    subprocess.run(("mount", "-o", "remount,size=4m", str(folder)), check=True)
