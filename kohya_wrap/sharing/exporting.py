"""Puts a run into a ZIP file; the same run gives the same bytes."""

import hashlib
import json
import secrets
import zipfile
from collections.abc import Mapping
from pathlib import Path

import toml

from kohya_wrap.errors import OutputError
from kohya_wrap.files import output_error, sha256_file
from kohya_wrap.paths import package_data
from kohya_wrap.record import RunRecord
from kohya_wrap.record.model import FileEntry
from kohya_wrap.record.parts import changed_files
from kohya_wrap.reproducing import root_of
from kohya_wrap.sharing.checks import FORMAT, PICTURES

_PINS = ("requirements-engine.txt", "constraints-engine.txt", "sd-scripts.toml")
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Times in the ZIP file, so that the same run gives the same bytes."""


def export_run(record: RunRecord, target: Path, *, with_images: bool = False) -> Path:
    """Write a run into a ZIP file: record, preset, captions, pins, hashes; with its pictures when asked.

    Raises OutputError where a caption (or picture) is gone or has changed since, and where `target` is there already.
    """
    if target.exists():
        raise OutputError("is there already", where=str(target), todo="give another name, or move it away")
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
    return entry.path.lower().endswith(PICTURES)


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
