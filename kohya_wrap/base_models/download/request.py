"""What goes into the downloader, and what comes out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """What to fetch. `headers` may hold a token and go to the host of `url` only. `size` in bytes, 0 when unknown.

    `refresh` gives a fresh address when a signed one has expired; without it, `url` is asked again. `filename`: for
    messages only.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    sha256: str = ""
    size: int = 0
    filename: str = ""
    refresh: Callable[[], str] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """A name for messages."""
        return self.filename or PurePosixPath(urlsplit(self.url).path).name or "the file"


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What arrived: `sha256` of the bytes, `size` in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Version:
    """Which state of a file a host serves; two answers of different versions are never mixed."""

    size: int
    etag: str = ""
    modified: str = ""

    @property
    def validator(self) -> str:
        """What If-Range takes: a strong ETag, else the date, else nothing."""
        return self.modified if not self.etag or self.etag.startswith("W/") else self.etag

    def matches(self, other: "Version") -> bool:
        """Whether `other` is the same state of the file, by all that both say about themselves."""
        if self.etag and other.etag:
            return self.size == other.size and self.etag == other.etag
        return self.size == other.size and (self.modified == other.modified or not (self.modified and other.modified))


class FileChangedError(Exception):
    """Behind the link is another file now than the one that was begun; never leaves the downloader."""
