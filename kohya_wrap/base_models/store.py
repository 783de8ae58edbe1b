"""The store: every model file once, by its SHA256, shared by all projects.

models/<sha256>/<name>          the file, under its host's name, so that a LoRA's metadata names it
models/<sha256>/about.json      where it came from; no secrets
models/.partial/<key>/          what is being fetched, and what an interrupted fetch left
models/.partial/<key>.lock      held by the process that fetches it
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from kohya_wrap.base_models.hash_memory import remember, remembered_sha256
from kohya_wrap.files import sha256_file, write_whole
from kohya_wrap.paths import CachePaths

_SHA256 = re.compile(r"^[0-9a-f]{64}$")
_ABOUT = "about.json"
_UNSAFE = re.compile(r"[^\w.+()@ -]|^[.\s]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the store. `about`: where it came from, as it was told when it was added."""

    sha256: str
    path: Path
    size: int
    about: Mapping[str, str] = field(default_factory=dict)


class Store:
    """The store of one cache folder."""

    def __init__(self, cache: CachePaths) -> None:
        self._cache = cache

    @property
    def partial(self) -> Path:
        """The folder of what is being fetched, and of what an interrupted fetch left."""
        return self._cache.models / ".partial"

    def find(self, sha256: str) -> Path | None:
        """Give the file with this hash, or None. It was verified when it was added, and is not read again."""
        entry = self._entry(self._cache.models / sha256) if _SHA256.match(sha256) else None
        return entry.path if entry else None

    def entries(self) -> tuple[Entry, ...]:
        """List what is there, by name."""
        if not self._cache.models.is_dir():
            return ()
        found = (self._entry(folder) for folder in self._cache.models.iterdir() if _SHA256.match(folder.name))
        return tuple(sorted((entry for entry in found if entry), key=lambda entry: entry.path.name))

    def adopt(self, path: Path, *, name: str, about: Mapping[str, str], sha256: str = "") -> Path:
        """Move a whole file into the store under `name`; `sha256`: its hash, where the caller has just computed it."""
        digest = sha256 or sha256_file(path)
        if found := self.find(digest):
            path.unlink()
            return found
        folder = self._cache.models / digest
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / safe_name(name)
        write_whole(folder / _ABOUT, json.dumps(dict(about), indent=2, ensure_ascii=False))
        path.replace(target)
        remember(target, digest, self._cache)
        return target

    @contextmanager
    def fetching(self, key: str) -> Iterator[Path]:
        """Give a folder to fetch into, held by one process at a time; what it holds survives an interruption."""
        folder = self.partial / re.sub(r"[^0-9A-Za-z._-]", "_", key)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(folder.name + ".lock")):
            folder.mkdir(exist_ok=True)
            yield folder
            shutil.rmtree(folder)

    def unfinished(self) -> tuple[int, int]:
        """Count the downloads that were interrupted, and the bytes that they hold."""
        folders = [entry for entry in self.partial.iterdir() if entry.is_dir()] if self.partial.is_dir() else []
        held = sum(file.stat().st_blocks * 512 for one in folders for file in one.rglob("*") if file.is_file())
        return len(folders), held

    def remove(self, sha256: str) -> bool:
        """Remove the file with this hash; False when it is not there."""
        folder = self._cache.models / sha256
        if not _SHA256.match(sha256) or not folder.is_dir():
            return False
        shutil.rmtree(folder)
        return True

    def verify(self, say: Callable[[str], None]) -> tuple[Entry, ...]:
        """Read every file again and give those whose hash is no longer theirs."""
        damaged = []
        for entry in self.entries():
            say(entry.path.name)
            if sha256_file(entry.path) != entry.sha256:
                damaged.append(entry)
        return tuple(damaged)

    def remembered_sha256(self, path: Path) -> str:
        """Give the SHA256 of any file, read at most once while it does not change."""
        return remembered_sha256(path, self._cache)

    def _entry(self, folder: Path) -> Entry | None:
        files = [path for path in folder.iterdir() if path.name != _ABOUT and path.is_file()] if folder.is_dir() else []
        files = [path for path in files if not path.name.startswith(".")]
        if not files:
            return None
        return Entry(folder.name, files[0], files[0].stat().st_size, _read_about(folder / _ABOUT))


def safe_name(name: str) -> str:
    """Make a file name of what a host says: its last part, without signs that any system objects to."""
    last = re.split(r"[/\\]", name)[-1]
    return _UNSAFE.sub("_", last).strip()[-150:] or "model.safetensors"


def _read_about(path: Path) -> dict[str, str]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, UnicodeDecodeError):
        return {}
    return {str(key): str(value) for key, value in read.items()} if isinstance(read, dict) else {}
