"""Archives unpacked without trust: nothing leaves the folder, whatever a name says, and nothing fills the disk.

Files are written under running numbers; their names are given back for the caller to use, already checked.
"""

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from kohya_wrap.errors import DatasetError
from kohya_wrap.files import output_error

_ENDINGS = (".zip", ".cbz", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_ZIP = b"PK\x03\x04"
_CHUNK = 1 << 20
_UNREADABLE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, UnicodeDecodeError),  # a packing that zipfile does not know, a name that is not UTF-8
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may become. `ratio`: bytes unpacked for one of the archive, beyond the first `free` bytes."""

    files: int = 100_000
    size: int = 50 << 30
    ratio: float = 100.0
    free: int = 100 << 20


@dataclass(frozen=True, slots=True)
class Unpacked:
    """One file of an archive: its checked name there, and where it is now."""

    name: PurePosixPath
    path: Path


def is_archive(path: Path) -> bool:
    """Whether a file is to be unpacked: by its ending, or as a ZIP by its first bytes."""
    if path.name.lower().endswith(_ENDINGS):
        return True
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


def unpack(archive: Path, folder: Path, limits: Limits | None = None) -> list[Unpacked]:
    """Unpack a ZIP or tar file into an empty folder, under numbers. One bad entry refuses the whole archive.

    Bad: a name that is absolute, holds `..` or a drive, a link, a device, an encrypted file; or too many, too large,
    too much for the archive's size, as counted while unpacking. Raises DatasetError, OutputError, DiskFullError.
    """
    unpacker = _Unpacker(archive, folder, limits or Limits())
    try:
        if zipfile.is_zipfile(archive):
            return unpacker.zip()
        return unpacker.tar()
    except (*_UNREADABLE, OSError) as error:  # offsets before the file's beginning are an OSError
        what = f"is no archive that can be unpacked: {str(error)[:100]}"
        raise DatasetError(what, where=str(archive), todo="give a whole ZIP or tar file") from error


class _Unpacker:
    """One archive on its way; counts what comes out of it."""

    def __init__(self, archive: Path, folder: Path, limits: Limits) -> None:
        self._archive = archive
        self._folder = folder
        self._limits = limits
        self._most = max(limits.free, int(limits.ratio * archive.stat().st_size))
        self._size = 0
        self._found: list[Unpacked] = []

    def zip(self) -> list[Unpacked]:
        with zipfile.ZipFile(self._archive) as file:
            entries = [entry for entry in file.infolist() if entry.filename and not entry.is_dir()]
            for entry in entries:
                self._check_zip(entry)
            for entry in entries:
                # Windows' own separator was seen in ZIP files made there.
                with file.open(entry) as content:
                    self._take(entry.filename.replace("\\", "/"), content)
        return self._found

    def tar(self) -> list[Unpacked]:
        with tarfile.open(self._archive, "r:*") as file:
            for entry in file:
                if entry.isdir():
                    continue
                content = file.extractfile(entry) if entry.isreg() else None
                if content is None:
                    raise self._refusal(f"holds {entry.name!r}, which is a link or a device")
                with content:
                    self._take(entry.name, content)
        return self._found

    def _check_zip(self, entry: zipfile.ZipInfo) -> None:
        self._checked(entry.filename.replace("\\", "/"))
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in {0, stat.S_IFREG}:
            raise self._refusal(f"holds {entry.filename!r}, which is a link or a device")
        if entry.flag_bits & 1:
            raise self._refusal(f"holds {entry.filename!r}, which is encrypted", todo="unpack it yourself")

    def _checked(self, name: str) -> PurePosixPath:
        path = PurePosixPath(name)
        parts = path.parts
        bad = path.is_absolute() or ".." in parts or not parts or "\0" in name or ":" in parts[0]
        if bad or name.startswith("/"):
            raise self._refusal(f"holds {name!r}, which would lie outside of the folder")
        return path

    def _take(self, name: str, content: IO[bytes]) -> None:
        path = self._checked(name)
        if len(self._found) >= self._limits.files:
            raise self._refusal(f"holds more than {self._limits.files} files")
        target = self._folder / f"{len(self._found):06}{path.suffix[:16]}"
        with _written(target) as out:
            while chunk := content.read(_CHUNK):
                self._size += len(chunk)
                self._check_size()
                out.write(chunk)
        self._found.append(Unpacked(path, target))

    def _check_size(self) -> None:
        if self._size > self._limits.size:
            raise self._refusal(f"becomes more than {self._limits.size >> 20} MiB")
        if self._size > self._most:
            raise self._refusal(f"becomes more than {self._limits.ratio:g} times its own size")

    def _refusal(
        self, what: str, *, todo: str = "nothing of it was taken; unpack it yourself and look"
    ) -> DatasetError:
        return DatasetError(what, where=str(self._archive), todo=todo)


@contextmanager
def _written(target: Path) -> Iterator[IO[bytes]]:
    """Open a new file; a full disk is said."""
    try:
        with target.open("xb") as file:
            yield file
    except OSError as error:
        raise output_error(error, target) from error
