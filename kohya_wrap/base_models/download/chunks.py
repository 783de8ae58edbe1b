"""The bytes of an answer as they come."""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kohya_wrap.base_models.download.tries import BrokenError
from kohya_wrap.base_models.errors import NoNetworkError, ServerError, TlsError
from kohya_wrap.base_models.redact import public_url
from kohya_wrap.base_models.web import own_errors

if TYPE_CHECKING:
    from requests import Response

CHUNK = 1 << 18


def chunks(answer: "Response") -> Iterator[bytes]:
    """Give what the socket has, up to 256 KiB at a time, and close `answer`; BrokenError when it ends too early."""
    try:
        with closing(answer), own_errors(answer.url):
            while chunk := answer.raw.read1(CHUNK, decode_content=False):
                yield chunk
    except (NoNetworkError, TlsError):
        what = f"the connection to {urlsplit(answer.url).hostname} keeps breaking"
        todo = "try again later; it goes on from where it was"
        raise BrokenError(ServerError(what, where=public_url(answer.url), todo=todo)) from None
