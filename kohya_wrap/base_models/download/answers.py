"""Judge a host's answer: a range of the file, an error that may pass, one that will not, or no file at all."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kohya_wrap.base_models.download.request import Version
from kohya_wrap.base_models.download.spans import Span
from kohya_wrap.base_models.download.tries import BrokenError
from kohya_wrap.base_models.errors import (
    AccessDeniedError,
    ArchivedError,
    LoginNeededError,
    NotAModelError,
    NotFoundError,
    ServerError,
    TokenRefusedError,
)
from kohya_wrap.base_models.header import MAX_HEADER_BYTES, looks_like
from kohya_wrap.base_models.redact import public_url
from kohya_wrap.base_models.web import shared_error
from kohya_wrap.errors import BaseModelError

if TYPE_CHECKING:
    from requests import Response

PASSING = frozenset({408, 429, 500, 502, 503, 504})
REFUSED = frozenset({400, 401, 403, 410})
"""How storage says that a signed address has ended."""
_TEXT = frozenset({"text/html", "application/xhtml+xml", "application/json", "application/xml", "text/xml"})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)", re.ASCII)


def check_status(answer: "Response", url: str, *, signed_in: bool) -> None:
    """Raise BrokenError or a BaseModelError unless `answer` brings bytes."""
    status = answer.status_code
    if status in {200, 206, 416}:
        _check_kind(answer, url)
        return
    error = _error(status, url, answer, signed_in=signed_in)
    if status in PASSING:
        raise BrokenError(error, busy=status in {429, 503}, wait=_retry_after(answer))
    raise error


def read_range(answer: "Response", span: Span) -> Version | None:
    """Give the version of an answer that brings `span`, or the beginning of it; None for every other answer."""
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if answer.status_code != 206 or match is None or int(match[1]) != span[0] or int(match[2]) >= span[1]:
        return None
    if match[3] == "*":  # without the length it cannot be fetched in pieces
        return None
    return Version(int(match[3]), answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""))


def read_length(answer: "Response") -> int:
    """Give the length that an answer announces, 0 where it does not say: headers are Latin-1, and some digits no
    number."""
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() and len(text) < 16 else 0


def check_first_bytes(first: bytes, url: str) -> None:
    """Raise NotAModelError when a file begins like a page or an answer of an API.

    The eight bytes of a .safetensors length can begin with any sign; taken as a length, no text is as short.
    """
    if len(first) > 8 and int.from_bytes(first[:8], "little") <= MAX_HEADER_BYTES:
        return
    if first.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in {b"<", b"{", b"["}:
        raise no_file(looks_like(first), url)


def no_file(looks: str, url: str) -> NotAModelError:
    """Build the error for something that is no file."""
    what = f"{_host(url)} sent {looks} in place of the file"
    return NotAModelError(what, where=public_url(url), todo="open the link in a browser; it may need a login")


def _check_kind(answer: "Response", url: str) -> None:
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if answer.status_code != 416 and kind in _TEXT:
        raise no_file("an HTML page" if "html" in kind else f"an answer of type {kind}", url)
    if answer.headers.get("Content-Encoding", "identity").lower() not in {"identity", ""}:
        what = f"{_host(url)} sends the file compressed, though it was asked not to"
        raise ServerError(what, where=public_url(url), todo="fetch the file in a browser and give its path")


def _error(status: int, url: str, answer: "Response", *, signed_in: bool) -> BaseModelError:
    where, host = public_url(url), _host(url)
    if status == 401 and signed_in:
        return TokenRefusedError(
            f"{host} does not accept the token", where=where, todo="check what is in the link, or the token"
        )
    if status == 401:
        todo = "put name and password into the link (https://NAME:PASSWORD@HOST/...), or give a file that you fetched"
        return LoginNeededError(f"{host} wants a login", where=where, todo=todo)
    if status == 403:
        return AccessDeniedError(f"{host} refuses the file", where=where, todo="open the link in a browser")
    if status == 404:
        return NotFoundError(f"{host} does not have the file", where=where, todo="check the link")
    if status == 410:
        return ArchivedError(f"{host} says that the file is gone", where=where, todo="give another model")
    shared = shared_error(status, url, retry_after=answer.headers.get("Retry-After", ""))
    return shared or ServerError(f"{host} answers {status}", where=where, todo="check the link, or try again later")


def _retry_after(answer: "Response") -> float:
    asked = answer.headers.get("Retry-After", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _host(url: str) -> str:
    return urlsplit(url).hostname or url
