"""Files that appear whole or not at all, and their hashes. Uses nothing but the standard library."""

import hashlib
import os
import secrets
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Literal

from kohya_wrap.errors import DiskFullError, OutputError

_CHUNK = 1 << 20
_NO_SPACE = 28


def output_error(error: OSError, path: Path) -> OutputError | DiskFullError:
    """Turn an OSError met while writing `path` into this package's own."""
    if error.errno == _NO_SPACE:
        return DiskFullError("the disk is full", where=str(path), todo="free some space and run again")
    return OutputError(
        f"cannot be written: {error.strerror or error}",
        where=str(path),
        todo="check that the folder exists and that you may write there",
    )


def settle(path: Path) -> None:
    """Have a file, or the names in a folder, outlive a loss of power from here on. Raises OSError."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all: a temporary name beside it, synced, then renamed. Raises OutputError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise output_error(error, path) from error


def kind_of(path: Path) -> Literal["file", "folder", "other", ""]:
    """Say what is at a path that somebody wrote: nothing, too, where no file can have such a name."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return ""
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"


def give_name(made: Path, name: Path) -> None:
    """Give a whole file on the same disk its name, never that of another file. Raises OSError (FileExistsError)."""
    try:
        os.link(made, name, follow_symlinks=False)  # unlike a rename, never over a file that has come since
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        made.replace(name)
    else:
        made.unlink()


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file, with its times, whole or not at all; an existing target is replaced. Raises OutputError."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        shutil.copy2(source, temporary)
        settle(temporary)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise output_error(error, target) from error


def sha256_file(path: Path) -> str:
    """Give a file's SHA256 in lower-case hex, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
