"""The way for hosts that refuse ranges or do not know the length: one connection, from the start, each time."""

import hashlib
import os
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kohya_wrap.base_models.download.answers import check_first_bytes, read_length
from kohya_wrap.base_models.download.chunks import chunks
from kohya_wrap.base_models.download.link import Link
from kohya_wrap.base_models.download.part import check_room, discard, part_paths
from kohya_wrap.base_models.download.request import Downloaded
from kohya_wrap.base_models.download.tries import BrokenError, Tries
from kohya_wrap.base_models.errors import ServerError
from kohya_wrap.base_models.hosts.host import OnProgress
from kohya_wrap.base_models.redact import public_url

if TYPE_CHECKING:
    from requests import Response

_TICK = 0.1


def one_stream(
    link: Link, answer: "Response", target: Path, *, on_progress: OnProgress | None, patience: float
) -> Downloaded:
    """Fetch everything into the temporary file of `target`. `answer`: the open one. Raises a BaseModelError.

    A failed try leaves nothing: it could not be gone on from.
    """
    tries = Tries(patience)
    while True:
        try:
            return _stream(answer, target, on_progress)
        except BrokenError as broken:
            pause = tries.pause(broken)
            if pause is None:
                raise broken.error from None
        time.sleep(pause)
        answer = link.open_patiently(None, patience)


def _stream(answer: "Response", target: Path, on_progress: OnProgress | None) -> Downloaded:
    try:
        with closing(answer):
            return _write(answer, target, on_progress)
    except BaseException:
        discard(target)
        raise


def _write(answer: "Response", target: Path, on_progress: OnProgress | None) -> Downloaded:
    if answer.status_code != 200:
        what = f"{urlsplit(answer.url).hostname} answers {answer.status_code} in place of the file"
        raise ServerError(what, where=public_url(answer.url), todo="check the link, or try again later")
    total = read_length(answer)
    discard(target)
    check_room(target.parent, total)
    digest, size, shown = hashlib.sha256(), 0, 0.0
    with part_paths(target)[0].open("wb", buffering=0) as file:
        for chunk in chunks(answer):
            if size == 0:
                check_first_bytes(chunk[:64], answer.url)
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            if on_progress is not None and time.monotonic() - shown > _TICK:
                shown = time.monotonic()
                on_progress(size, total)
        os.fsync(file.fileno())
    if on_progress is not None:
        on_progress(size, total or size)
    return Downloaded(digest.hexdigest(), size)
