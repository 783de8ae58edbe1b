"""A file on a local host, and a folder to fetch it into."""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fake_server import Asked, FileServer, Served

from kohya_wrap.base_models.downloader import Downloaded, DownloadRequest, download

PIECE = 1 << 14
"""What the tests make of the smallest piece, so that a megabyte is a large file."""


def content_of(size: int, seed: int = 1) -> bytes:
    """Make bytes that look like nothing, after the start of a .safetensors file."""
    return b"\x20\0\0\0\0\0\0\0{" + random.Random(seed).randbytes(size - 9)  # noqa: S311 - only to look like nothing


@dataclass
class Place:
    """`server` serves `content` as /file; `storage` is a second host; `target` is where a download should end."""

    folder: Path
    server: FileServer
    storage: FileServer
    content: bytes = content_of(1_000_000)
    shown: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.source.write_bytes(self.content)

    @property
    def source(self) -> Path:
        """The file as the host has it."""
        return self.folder / "source"

    @property
    def target(self) -> Path:
        """Where it should come."""
        return self.folder / "got" / "model.safetensors"

    @property
    def sha256(self) -> str:
        """The hash of the content."""
        return hashlib.sha256(self.content).hexdigest()

    def serve(self, **how: Any) -> str:
        """Serve the file so, and give its address."""
        return self.server.serve("/file", Served(self.source, **how))

    def fetch(self, url: str, **request: Any) -> Downloaded:
        """Download `url` to `target`."""
        self.target.parent.mkdir(exist_ok=True)
        asked = DownloadRequest(**{"url": url, "filename": "model.safetensors", **request})
        return download(asked, self.target, patience=0, on_progress=lambda *state: self.shown.append(state))

    def check(self, got: Downloaded) -> None:
        """Assert that the file is whole, right, reported rightly, and alone."""
        assert (got.sha256, got.size) == (self.sha256, len(self.content))
        assert self.target.read_bytes() == self.content
        assert self.left() == [self.target.name]

    def left(self) -> list[str]:
        """What lies in the target's folder."""
        return sorted(path.name for path in self.target.parent.iterdir())


def sometimes(path: str, usual: Served, when: Callable[[int], Served | None]) -> Callable[[Asked], Served | None]:
    """Make a route that answers `path` with `when(number of the request)`, or as usual where that is None."""
    count = [-1]

    def route(asked: Asked) -> Served | None:
        if asked.path != path:
            return None
        count[0] += 1
        return when(count[0]) or usual

    return route


def refusal(status: int, **headers: str) -> Served:
    """Make an answer with an error's status."""
    return replace(Served(), status=status, body=b"no", headers={k.replace("_", "-"): v for k, v in headers.items()})
