"""Diffusers folders that were fetched: one per repository and commit, whole or not at all.

models/folders/<user--name>@<commit>/        the folder
models/folders/<user--name>@<commit>.json    where it came from
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from kohya_wrap.files import sha256_file, write_whole
from kohya_wrap.paths import CachePaths


@dataclass(frozen=True, slots=True)
class Folder:
    """One fetched folder. `about`: "source" and "pinned" links, as they may be shown, and "content", a hash of all."""

    path: Path
    about: Mapping[str, str]

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())


def fetched_folders(cache: CachePaths) -> tuple[Folder, ...]:
    """List the folders, by name."""
    home = cache.models / "folders"
    found = []
    for side in sorted(home.glob("*.json")) if home.is_dir() else ():
        folder = side.with_suffix("")
        try:
            about = json.loads(side.read_text(encoding="utf-8"))
        except (ValueError, UnicodeDecodeError):
            continue
        if folder.is_dir() and isinstance(about, dict):
            found.append(Folder(folder, {str(key): str(value) for key, value in about.items()}))
    return tuple(found)


def find_folder(link: str, cache: CachePaths) -> Path | None:
    """Give the folder that was fetched from `link`, as shown or as pinned; the newest one where there are several."""
    fitting = [folder.path for folder in fetched_folders(cache) if link in folder.about.values()]
    return max(fitting, key=lambda path: path.stat().st_mtime, default=None)


def add_folder(name: str, about: Mapping[str, str], fetch: Callable[[Path], Path], cache: CachePaths) -> Path:
    """Fetch a folder under a temporary name, which an interruption leaves to be taken up, and rename it when whole."""
    home = cache.models / "folders"
    home.mkdir(parents=True, exist_ok=True)
    target = home / re.sub(r"[^\w.@-]", "-", name.replace("/", "--"))
    with FileLock(f"{target}.lock"):
        if target.is_dir() and target.with_name(f"{target.name}.json").is_file():
            return target
        staging = home / f".{target.name}.part"
        got = fetch(staging)
        shutil.rmtree(got / ".cache", ignore_errors=True)
        shutil.rmtree(target, ignore_errors=True)
        got.replace(target)
        shutil.rmtree(staging, ignore_errors=True)
        told = {**about, "content": content_hash(target)}
        write_whole(target.with_name(f"{target.name}.json"), json.dumps(told, indent=2, ensure_ascii=False))
    return target


def content_hash(folder: Path) -> str:
    """Give one SHA256 for the names and bytes of all files below `folder`."""
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()} {sha256_file(file)}\n".encode())
    return digest.hexdigest()


def remove_folder(folder: Folder) -> None:
    """Remove a fetched folder."""
    folder.path.with_name(f"{folder.path.name}.json").unlink(missing_ok=True)
    shutil.rmtree(folder.path)
