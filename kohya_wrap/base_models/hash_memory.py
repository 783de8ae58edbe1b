"""Remember the SHA256 of large files, so that a base model of 2 GB is read once and not at every run."""

import json
from pathlib import Path

from filelock import FileLock

from kohya_wrap.files import sha256_file, write_whole
from kohya_wrap.paths import CachePaths

_MOST_ENTRIES = 2000


def remembered_sha256(path: Path, cache: CachePaths) -> str:
    """Give the SHA256 of `path`, from memory while path, size, mtime and inode are those that it was read with."""
    absolute = path.resolve()
    key, now = str(absolute), _state(absolute)
    known = _load(cache).get(key)
    if known and known[:3] == now:
        return str(known[3])
    digest = sha256_file(absolute)
    if _state(absolute) == now:  # unchanged while it was read
        remember(absolute, digest, cache)
    return digest


def remember(path: Path, digest: str, cache: CachePaths) -> None:
    """Keep the hash of a file that was just computed."""
    cache.home.mkdir(parents=True, exist_ok=True)
    absolute = path.resolve()
    with FileLock(cache.hashes.with_suffix(".lock")):
        entries = _load(cache)
        entries.pop(str(absolute), None)
        entries[str(absolute)] = [*_state(absolute), digest]
        kept = dict(list(entries.items())[-_MOST_ENTRIES:])
        write_whole(cache.hashes, json.dumps(kept, indent=0))


def _state(path: Path) -> list[int | str]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def _load(cache: CachePaths) -> dict[str, list[int | str]]:
    try:
        read = json.loads(cache.hashes.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, UnicodeDecodeError):
        return {}
    entries = read.items() if isinstance(read, dict) else ()
    return {path: entry for path, entry in entries if isinstance(entry, list) and len(entry) == 4}
