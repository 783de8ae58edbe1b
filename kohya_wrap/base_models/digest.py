"""The SHA256 of a file on this machine."""

import hashlib
from pathlib import Path

from kohya_wrap.paths import CachePaths


def sha256_of(path: Path, cache: CachePaths) -> str:
    """Give the SHA256 of `path` in lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
