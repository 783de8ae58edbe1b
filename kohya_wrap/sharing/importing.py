"""Takes a run out of a ZIP file: whole, below one folder, and never over what is there."""

import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kohya_wrap.errors import OutputError, PresetError
from kohya_wrap.files import output_error, sha256_file
from kohya_wrap.paths import ProjectPaths
from kohya_wrap.record import RunRecord
from kohya_wrap.record.model import FileEntry, write_record
from kohya_wrap.reproducing import root_of
from kohya_wrap.sharing.checks import checked_files, checked_record, odd_files, runs_code

_UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, UnicodeDecodeError)
"""What zipfile raises for bytes that are damaged, encrypted (RuntimeError), or packed in ways it does not know."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A run that was unpacked. `missing`: what it was trained on and the archive does not hold."""

    record: RunRecord
    missing: tuple[FileEntry, ...]


def import_run(archive: Path, *, root: Path, trust: bool = False) -> Imported:
    """Unpack an exported run below `root`, so that `reproduce` can repeat it there.

    Everything is checked before anything is written: names stay below `root`, hashes fit, nothing that is there is
    replaced. What could run code is refused unless `trust`: a preset that names some (an optimizer by its class path, a
    python of its own) or reads it from another file, and files that are neither pictures nor captions. Raises
    OutputError, PresetError.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            files = checked_files(opened, archive)
            record = checked_record(opened, archive)
            if not trust and (found := [*runs_code(record.preset.stated), *odd_files(files)]):
                raise PresetError.of(found, what="the run holds what could run code on this machine")
            return _unpack(opened, files, record, root.absolute())
    except _UNREADABLE as error:
        raise OutputError(f"is no whole ZIP file: {error}", where=str(archive), todo="export it again") from error
    except OSError as error:
        raise output_error(error, archive) from error


def _unpack(opened: zipfile.ZipFile, files: Mapping[str, str], record: RunRecord, root: Path) -> Imported:
    by_category = "lora_training" in Path(record.folder).parts[-4:]
    run = ProjectPaths(root, record.project, "category" if by_category else "project").run(record.id)
    old_root = root_of(record)
    if run.record.exists():
        raise OutputError("this run is here already", where=str(run.record), todo="import it into another folder")
    places = {name: root / PurePosixPath(name).relative_to("files") for name in files if name.startswith("files/")}
    _check_places(places, files, root)
    for name, place in places.items():
        data = opened.read(name)
        if hashlib.sha256(data).hexdigest() != files[name]:
            raise OutputError(f"holds a damaged file: {name}", where=str(opened.filename), todo="export it again")
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            temporary = place.with_name(f".{place.name}.part")
            temporary.write_bytes(data)
            temporary.replace(place)
    dataset = tuple(
        entry.model_copy(update={"path": str(_moved(entry.path, old_root, root))}) for entry in record.dataset
    )
    moved = record.with_(folder=str(run.folder), dataset=dataset)
    run.folder.mkdir(parents=True, exist_ok=True)
    write_record(moved, run.record)
    return Imported(moved, tuple(entry for entry in dataset if not Path(entry.path).is_file()))


def _check_places(places: Mapping[str, Path], files: Mapping[str, str], root: Path) -> None:
    inside = root.resolve()
    for name, place in places.items():
        if not place.resolve().is_relative_to(inside):
            raise OutputError(f"would leave {root} by a link", where=str(place), todo="import into another folder")
        if place.exists() and (not place.is_file() or sha256_file(place) != files[name]):
            raise OutputError("is another file than the run's", where=str(place), todo="import into another folder")


def _moved(path: str, old: Path, new: Path) -> Path:
    given = Path(path)
    return new / given.relative_to(old) if given.is_relative_to(old) else given
