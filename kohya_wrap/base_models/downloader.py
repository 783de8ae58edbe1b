"""Fetch one file over requests: resumed, verified, and never under its name before it is whole."""

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kohya_wrap.base_models.access import USER_AGENT
from kohya_wrap.base_models.errors import (
    AccessDeniedError,
    HashMismatchError,
    NotAModelError,
    NotFoundError,
    ServerError,
    StoreDiskFullError,
)
from kohya_wrap.base_models.header import looks_like
from kohya_wrap.base_models.hosts.host import OnProgress
from kohya_wrap.base_models.redact import public_url
from kohya_wrap.base_models.web import TIMEOUT, own_errors, shared_error

if TYPE_CHECKING:
    from requests import Response

_CHUNK = 1 << 20
_TRIES = 8


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """What to fetch. `headers` may hold a token and go to the host of `url` only. `size` in bytes, 0 when unknown.

    `refresh` gives a fresh address when a signed one has expired.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    sha256: str = ""
    size: int = 0
    filename: str = ""
    refresh: Callable[[], str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What arrived: `sha256` of the bytes, `size` in bytes."""

    sha256: str
    size: int


def download(
    request: DownloadRequest, target: Path, *, on_progress: OnProgress | None = None, patience: float = 1.0
) -> Downloaded:
    """Fetch `request` into `target`, going on from what an earlier call left beside it. Raises a BaseModelError."""
    part = target.with_name(target.name + ".part")
    url = request.url
    for attempt in range(_TRIES):
        try:
            return _once(request, url, part, target, on_progress)
        except _ExpiredError:
            if request.refresh is None or attempt == _TRIES - 1:
                raise AccessDeniedError(
                    "the host refuses the file", where=public_url(url), todo="check the link"
                ) from None
            url = request.refresh()
        except ServerError:
            if attempt == _TRIES - 1:
                raise
            time.sleep(min(2.0**attempt, 30.0) * patience)
    raise ServerError(
        "the connection keeps breaking", where=public_url(url), todo="try again later; it goes on from here"
    )


class _ExpiredError(Exception):
    """The signed address is no longer accepted."""


def _once(request: DownloadRequest, url: str, part: Path, target: Path, on_progress: OnProgress | None) -> Downloaded:
    import requests  # noqa: PLC0415 - slow to import, and most commands fetch nothing

    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **request.headers}
    if have:
        headers["Range"] = f"bytes={have}-"
    with own_errors(url), requests.get(url, headers=headers, timeout=TIMEOUT, stream=True) as answer:
        _check_status(answer, url)
        if answer.status_code != 206:
            have = 0
        total = have + int(answer.headers.get("Content-Length") or 0)
        _check_room(part, total - have)
        _read(answer, part, have, total, on_progress)
    size = part.stat().st_size
    if total and size != total:
        raise ServerError(f"the connection broke at {size:,} of {total:,} bytes", where=public_url(url))
    digest = _digest(part)
    if request.sha256 and digest != request.sha256:
        part.unlink()
        what = f"{request.filename} arrived with SHA256 {digest}, expected {request.sha256}"
        raise HashMismatchError(
            what, where=public_url(url), todo="try again; if it stays so, the host changed the file"
        )
    part.replace(target)
    return Downloaded(digest, size)


def _read(answer: "Response", part: Path, have: int, total: int, on_progress: OnProgress | None) -> None:
    with part.open("r+b" if have else "wb") as file:
        file.seek(have)
        for chunk in answer.iter_content(_CHUNK):
            file.write(chunk)
            have += len(chunk)
            if on_progress is not None:
                on_progress(have, total)


def _check_status(answer: "Response", url: str) -> None:
    status = answer.status_code
    if status in {401, 403, 410}:
        raise _ExpiredError
    if error := shared_error(status, url, retry_after=answer.headers.get("Retry-After", "")):
        raise error
    if status == 404:
        raise NotFoundError("the file is not there", where=public_url(url), todo="check the link")
    if status not in {200, 206}:
        raise ServerError(f"the host answers {status}", where=public_url(url))
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in {"text/html", "application/json", "application/xml"}:
        looks = looks_like(answer.raw.read(64)) or kind
        what = f"{urlsplit(url).hostname} sent {looks} in place of a file"
        raise NotAModelError(what, where=public_url(url), todo="open the link in a browser; it may need a login")


def _check_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        what = f"the file needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
        todo = "free some space, or set KOHYA_WRAP_HOME to a larger disk"
        raise StoreDiskFullError(what, where=str(part.parent), todo=todo)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
