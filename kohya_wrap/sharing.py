"""export_run() and import_run(): a run in one ZIP file, from which another machine can repeat it.

manifest.json        format, and every other file with its SHA256
run.json             the record as it was written
preset.toml          the preset as it was stated, overrides and all
vendor/…             the pins of the engine
files/Loras/…        captions (and pictures, when asked), at their place below the run's root
"""

import hashlib
import json
import lzma
import re
import secrets
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import toml
from pydantic import ValidationError

from kohya_wrap.errors import OutputError, PresetError, Problem
from kohya_wrap.files import output_error, sha256_file
from kohya_wrap.paths import ProjectPaths, package_data
from kohya_wrap.record import RunRecord
from kohya_wrap.record.model import FileEntry, write_record
from kohya_wrap.record.parts import changed_files
from kohya_wrap.reproducing import root_of

FORMAT = 1
_PINS = ("requirements-engine.txt", "constraints-engine.txt", "sd-scripts.toml")
_PICTURES, _CAPTIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp"), (".txt", ".caption")
_NAME = re.compile(r"[^/\\\x00-\x1f]{1,200}")
_LARGEST_FILE, _LARGEST_TEXT, _MOST_FILES, _HIGHEST_RATIO = 1 << 30, 64 << 20, 200_000, 1000
_UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, UnicodeDecodeError)
"""What zipfile raises for bytes that are damaged, encrypted (RuntimeError), or packed in ways it does not know."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Times in the ZIP file, so that the same run gives the same bytes."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A run that was unpacked. `missing`: what it was trained on and the archive does not hold."""

    record: RunRecord
    missing: tuple[FileEntry, ...]


def export_run(record: RunRecord, target: Path, *, with_images: bool = False) -> Path:
    """Write a run into a ZIP file: record, preset, captions, pins, hashes; with its pictures when asked.

    Raises OutputError where a caption (or picture) is gone or has changed since.
    """
    root = root_of(record)
    chosen = [entry for entry in record.dataset if with_images or not _is_image(entry)]
    content: dict[str, bytes | Path] = {
        "run.json": json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False).encode(),
        "preset.toml": toml.dumps(record.preset.stated).encode(),
    }
    content |= {f"vendor/{name}": package_data("vendor") / name for name in _PINS}
    inside = [entry for entry in chosen if Path(entry.path).is_relative_to(root)]
    content |= {f"files/{Path(entry.path).relative_to(root).as_posix()}": Path(entry.path) for entry in inside}
    if problems := list(changed_files(inside)):
        raise OutputError.of(problems, what="the run cannot be exported as it was")
    _write_zip(content, target)
    return target


def _is_image(entry: FileEntry) -> bool:
    return entry.path.lower().endswith(_PICTURES)


def _write_zip(content: Mapping[str, bytes | Path], target: Path) -> None:
    hashes = {
        name: hashlib.sha256(data).hexdigest() if isinstance(data, bytes) else sha256_file(data)
        for name, data in content.items()
    }
    manifest = json.dumps({"format": FORMAT, "files": hashes}, indent=2, ensure_ascii=False).encode()
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in {"manifest.json": manifest, **content}.items():
                info = zipfile.ZipInfo(name, _EPOCH)
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, data if isinstance(data, bytes) else data.read_bytes())
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise output_error(error, target) from error


def import_run(archive: Path, *, root: Path, trust: bool = False) -> Imported:
    """Unpack an exported run below `root`, so that `reproduce` can repeat it there.

    Everything is checked before anything is written: names stay below `root`, hashes fit, nothing that is there is
    replaced. What could run code is refused unless `trust`: a preset that names some (an optimizer by its class path, a
    python of its own) or reads it from another file, and files that are neither pictures nor captions. Raises
    OutputError, PresetError.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            files = _checked(opened, archive)
            record = _record(opened, archive)
            if not trust and (found := [*_runs_code(record.preset.stated), *_odd_files(files)]):
                raise PresetError.of(found, what="the run holds what could run code on this machine")
            return _unpack(opened, files, record, root.absolute())
    except _UNREADABLE as error:
        raise OutputError(f"is no whole ZIP file: {error}", where=str(archive), todo="export it again") from error
    except OSError as error:
        raise output_error(error, archive) from error


def _checked(opened: zipfile.ZipFile, archive: Path) -> dict[str, str]:
    """Give the archive's own files with their hashes, after looking at every name and size."""
    infos = opened.infolist()
    by_name = {info.filename: info for info in infos}
    bad = len(infos) > _MOST_FILES or len(by_name) != len(infos)
    bad = bad or any(info.file_size > max(info.compress_size, 64) * _HIGHEST_RATIO for info in infos)
    bad = bad or any(info.file_size > _LARGEST_FILE for info in infos)
    try:
        if bad:
            raise ValueError
        manifest = json.loads(_read(opened, "manifest.json"))
        files = {str(name): str(sha256) for name, sha256 in manifest["files"].items()}
        if manifest["format"] != FORMAT or files.keys() | {"manifest.json"} != by_name.keys():
            raise ValueError
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        what = "is no run that `kohya-wrap runs export` wrote"
        raise OutputError(what, where=str(archive), todo="export it again") from error
    for name in files:
        _safe(name, archive)
    return files


def _safe(name: str, archive: Path) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\x00" in name:
        raise OutputError(f"holds a name that leads out of its folder: {name!r}", where=str(archive))
    return path


def _read(opened: zipfile.ZipFile, name: str) -> bytes:
    if opened.getinfo(name).file_size > _LARGEST_TEXT:
        raise ValueError
    return opened.read(name)


def _record(opened: zipfile.ZipFile, archive: Path) -> RunRecord:
    try:
        record = RunRecord.model_validate_json(_read(opened, "run.json"))
    except (ValidationError, KeyError, ValueError) as error:
        raise OutputError("its run.json cannot be read", where=str(archive), todo="export it again") from error
    for name in (record.project, record.id, record.preset.name):
        if not _NAME.fullmatch(name) or name in {".", ".."}:
            raise OutputError(f"its record holds a name that is no file name: {name!r}", where=str(archive))
    return record


def _runs_code(stated: Mapping[str, object]) -> Iterator[Problem]:
    def value(table: str, key: str) -> object:
        found = stated.get(table)
        return found.get(key) if isinstance(found, Mapping) else None

    todo = "look at it, and give --trust"
    for table, key in (
        ("optimizer", "optimizer"),
        ("sd_scripts", "lr_scheduler_type"),
        ("sd_scripts", "network_module"),
    ):
        if "." in str(value(table, key) or ""):
            yield Problem(f"{table}.{key}", f"names the Python class {value(table, key)!r}", todo)
    for table, key in (("engine", "python"), ("engine", "sd_scripts_dir")):
        if value(table, key):
            yield Problem(f"{table}.{key}", f"names a program: {value(table, key)!r}", todo)
    if value("setup", "allow_pickle"):
        yield Problem("setup.allow_pickle", "opens a pickle", todo)
    if path := value("extras", "override_config_file"):
        yield Problem("extras.override_config_file", f"takes every setting from a file, unseen: {path!r}", todo)
    if "extends" in stated:  # no record of ours has it: what a preset extends is in its tables
        yield Problem("extends", f"takes settings from a file, unseen: {stated['extends']!r}", todo)


def _odd_files(files: Iterable[str]) -> Iterator[Problem]:
    """Name what is no part of a dataset: beside a program, a module or a .pth file would be run by it."""
    for name in files:
        if name.startswith("files/") and not name.lower().endswith((*_PICTURES, *_CAPTIONS)):
            yield Problem(name, "is neither a picture nor a caption", "look at it, and give --trust")


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
