"""Fetch one file over requests: resumed, verified, and never under its name before it is whole."""

import errno
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kohya_wrap.base_models.download.answers import check_first_bytes, read_range
from kohya_wrap.base_models.download.chunks import chunks
from kohya_wrap.base_models.download.link import Link
from kohya_wrap.base_models.download.one_stream import one_stream
from kohya_wrap.base_models.download.parallel import Parallel
from kohya_wrap.base_models.download.part import Part, discard, no_room, part_paths
from kohya_wrap.base_models.download.request import Downloaded, DownloadRequest, FileChangedError, Version
from kohya_wrap.base_models.download.tries import BrokenError
from kohya_wrap.base_models.errors import HashMismatchError, ServerError
from kohya_wrap.base_models.hosts.host import OnProgress
from kohya_wrap.base_models.redact import public_url
from kohya_wrap.files import sha256_file

if TYPE_CHECKING:
    from requests import Response

__all__ = ["CONNECTIONS", "DownloadRequest", "Downloaded", "download"]

CONNECTIONS = 16
"""As many as the notebook's `aria2c -x 16`; fewer where the host says that they are too many."""
_FIRST = 1 << 16
"""Bytes of the first request, which finds out the length and whether ranges are served."""
_MOST_STARTS = 3
"""The last one in a single stream, for a host whose answers never agree with each other."""
_CHANGED = "try again; if it stays so, the host has changed the file: look at its page, and pin the new hash"


def download(
    request: DownloadRequest,
    target: Path,
    *,
    on_progress: OnProgress | None = None,
    patience: float = 1.0,
    connections: int = CONNECTIONS,
) -> Downloaded:
    """Fetch `request` into `target`, going on from what an earlier call left beside it, and give its SHA256.

    `on_progress` is called on this thread, ten times a second. `patience` stretches the pauses between tries; 0 for
    tests. One process at a time may fetch a target: the store sees to that. Raises a BaseModelError.
    """
    if request.sha256 and target.is_file() and sha256_file(target) == request.sha256:
        return Downloaded(request.sha256, target.stat().st_size)
    fetch = _Fetch(request, target, on_progress, patience, connections)
    try:
        return fetch.run()
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise no_room(target.parent, request.size) from None
        raise
    finally:
        fetch.link.close()


class _Fetch:
    """One call of `download`."""

    def __init__(
        self, request: DownloadRequest, target: Path, on_progress: OnProgress | None, patience: float, connections: int
    ) -> None:
        self.link = Link(request, connections=connections)
        self._request = request
        self._target = target
        self._on_progress = on_progress
        self._patience = patience
        self._connections = connections

    def run(self) -> Downloaded:
        """Start, and start over when the file behind the link has changed."""
        for start in range(1, _MOST_STARTS + 1):
            try:
                return self._start() if start < _MOST_STARTS else self._in_one_stream()
            except FileChangedError:
                discard(self._target)
        where = public_url(self._request.url)
        raise ServerError("the file behind the link keeps changing", where=where, todo="try again later")

    def _start(self) -> Downloaded:
        part = Part.load(self._target, hash_is_known=bool(self._request.sha256))
        if part is None:
            answer = self.link.open_patiently((0, _FIRST), self._patience)
            version = read_range(answer, (0, _FIRST))
            if version is None:
                return self._in_one_stream(answer)
            part = self._begin(answer, version)
        try:
            if self._request.size not in {0, part.version.size}:
                raise FileChangedError  # what was begun earlier is not what is wanted now
            many = Parallel(self.link, part, connections=self._connections, patience=self._patience)
            got = Downloaded(many.run(self._on_progress), part.version.size)
            self._verify(got, was_resumed=part.resumed)
            part.finish()
        finally:
            part.release()
        return got

    def _begin(self, answer: "Response", version: Version) -> Part:
        """Read the first answer, which is small, and make the temporary file."""
        self._check_size(version.size)
        first = bytearray()
        with suppress(BrokenError):  # what is missing is asked for again
            for chunk in chunks(answer):
                first += chunk
                if len(first) > _FIRST:
                    break
        check_first_bytes(bytes(first[:64]), answer.url)
        part = Part.create(self._target, version)
        part.write(0, bytes(first[:_FIRST]))
        return part

    def _in_one_stream(self, answer: "Response | None" = None) -> Downloaded:
        if answer is not None and answer.status_code != 200:
            answer.close()
            answer = None
        answer = answer or self.link.open_patiently(None, self._patience)
        got = one_stream(self.link, answer, self._target, on_progress=self._on_progress, patience=self._patience)
        self._check_size(got.size)
        self._verify(got, was_resumed=False)
        part_paths(self._target)[0].replace(self._target)
        return got

    def _check_size(self, size: int) -> None:
        expected = self._request.size
        if expected and size != expected:
            discard(self._target)
            what = f"{self._request.name} is not the file that was asked for: it has {size:,} bytes, not {expected:,}"
            raise HashMismatchError(what, where=public_url(self._request.url), todo=_CHANGED)

    def _verify(self, got: Downloaded, *, was_resumed: bool) -> None:
        expected = self._request.sha256
        if expected in {"", got.sha256}:
            return
        discard(self._target)
        if was_resumed:  # something may have happened to the earlier part; a fresh start will tell
            raise FileChangedError
        what = f"{self._request.name} is not the file that was asked for: its SHA256 is {got.sha256}, not {expected}"
        raise HashMismatchError(what, where=public_url(self._request.url), todo=_CHANGED)
