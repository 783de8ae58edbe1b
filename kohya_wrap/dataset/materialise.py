"""What this room writes before a run: copies of what dataset.images names, and the pictures of the demo."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.dataset.demo import draw
from kohya_wrap.dataset.types import PreparedDataset
from kohya_wrap.errors import DatasetError
from kohya_wrap.files import copy_whole, output_error, sha256_file


@dataclass(frozen=True, slots=True)
class FileHash:
    """A file of the dataset; SHA256 in lower-case hex, size in bytes."""

    path: Path
    sha256: str
    size: int


def materialise(prepared: PreparedDataset) -> None:
    """Put every picture and caption where the engine will read it. Never replaces a file. Raises OutputError."""
    folders = {copy.target.parent for copy in prepared.copies}
    for folder in folders | ({prepared.builtin} if prepared.builtin else set()):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(error, folder) from error
    if prepared.builtin:
        try:
            draw(prepared.builtin)
        except OSError as error:
            raise output_error(error, prepared.builtin) from error
    for copy in prepared.copies:
        if not copy.target.exists():
            copy_whole(copy.source, copy.target)


def dataset_hashes(prepared: PreparedDataset) -> tuple[FileHash, ...]:
    """Hash every picture and caption as the engine will read them, in parallel, sorted by path.

    Raises DatasetError for a file that cannot be read any more.
    """
    paths = {picture.path for picture in prepared.pictures}
    paths |= {picture.path.with_name(p.name) for picture in prepared.pictures if (p := picture.caption)}
    with ThreadPoolExecutor() as pool:
        return tuple(pool.map(_hash, sorted(paths)))


def _hash(path: Path) -> FileHash:
    try:
        return FileHash(path, sha256_file(path), path.stat().st_size)
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise DatasetError(what, where=str(path), todo="leave the dataset as it is while a run begins") from error
