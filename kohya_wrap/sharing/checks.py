"""What is looked at in a stranger's archive before anything of it is written."""

import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from kohya_wrap.errors import OutputError, Problem
from kohya_wrap.record import RunRecord

FORMAT = 1
PICTURES, _CAPTIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp"), (".txt", ".caption")
_NAME = re.compile(r"[^/\\\x00-\x1f]{1,200}")
_LARGEST_FILE, _LARGEST_TEXT, _MOST_FILES, _HIGHEST_RATIO = 1 << 30, 64 << 20, 200_000, 1000


def checked_files(opened: zipfile.ZipFile, archive: Path) -> dict[str, str]:
    """Give the archive's own files with their hashes, after looking at every name and size. Raises OutputError."""
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
        _check_name(name, archive)
    return files


def _check_name(name: str, archive: Path) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\x00" in name:
        raise OutputError(f"holds a name that leads out of its folder: {name!r}", where=str(archive))


def _read(opened: zipfile.ZipFile, name: str) -> bytes:
    if opened.getinfo(name).file_size > _LARGEST_TEXT:
        raise ValueError
    return opened.read(name)


def checked_record(opened: zipfile.ZipFile, archive: Path) -> RunRecord:
    """Give the archive's record, whose names may become folders. Raises OutputError."""
    try:
        record = RunRecord.model_validate_json(_read(opened, "run.json"))
    except (ValidationError, KeyError, ValueError) as error:
        raise OutputError("its run.json cannot be read", where=str(archive), todo="export it again") from error
    for name in (record.project, record.id, record.preset.name):
        if not _NAME.fullmatch(name) or name in {".", ".."}:
            raise OutputError(f"its record holds a name that is no file name: {name!r}", where=str(archive))
    return record


def runs_code(stated: Mapping[str, object]) -> Iterator[Problem]:
    """Name what of a stated preset could run code, or leads to settings that nobody has seen."""

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


def odd_files(files: Iterable[str]) -> Iterator[Problem]:
    """Name what is no part of a dataset: beside a program, a module or a .pth file would be run by it."""
    for name in files:
        if name.startswith("files/") and not name.lower().endswith((*PICTURES, *_CAPTIONS)):
            yield Problem(name, "is neither a picture nor a caption", "look at it, and give --trust")
