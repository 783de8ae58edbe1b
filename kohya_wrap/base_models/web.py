"""Ask a host's API over requests: JSON in, or one error of our own; a token goes into the header and nowhere else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kohya_wrap.base_models.access import USER_AGENT, Access, Secret
from kohya_wrap.base_models.errors import (
    NoNetworkError,
    NotFoundError,
    RegionBlockedError,
    ServerError,
    TlsError,
    TooManyRequestsError,
)
from kohya_wrap.base_models.redact import public_url, redact
from kohya_wrap.errors import BaseModelError

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

TIMEOUT = (10.0, 30.0)
"""Seconds to connect, and between two bytes of an answer."""
PAUSES = (1.0, 3.0)
"""Seconds before the second and the third try; longer where Retry-After asks for it, up to LONGEST_PAUSE."""
LONGEST_PAUSE = 20.0


class Bearer:
    """Puts a token into the Authorization header; given as `auth`, so that a .netrc cannot take its place."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: "PreparedRequest") -> "PreparedRequest":
        """Sign `request`."""
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


def get(url: str, *, token: Secret, access: Access, follow: bool = True) -> "Response":
    """GET `url`, its body unread; busy and failing hosts are asked up to three times.

    Raises NoNetworkError, TlsError, TooManyRequestsError, ServerError or RegionBlockedError; any other status is the
    caller's to judge. Redirects are followed without the token once they leave the host.
    """
    import requests  # noqa: PLC0415 - slow to import, and most commands never ask a host

    pauses = iter(PAUSES)
    while True:
        with own_errors(url):
            answer = requests.get(
                url,
                auth=Bearer(token),
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
                timeout=TIMEOUT,
                stream=True,
                allow_redirects=follow,
            )
        busy = answer.status_code == 429 or answer.status_code >= 500
        wait = _pause(answer, next(pauses, None)) if busy else None
        if wait is None:
            _raise_for_all_hosts(answer, url)
            return answer
        answer.close()
        time.sleep(wait * access.patience)


def get_json(url: str, *, token: Secret, access: Access) -> object:
    """GET JSON. Raises as `get`, and NotFoundError for 404, ServerError for anything that is not JSON."""
    with get(url, token=token, access=access) as answer:
        if answer.status_code == 404:
            raise NotFoundError(f"{_host(url)} does not know it", where=public_url(url))
        if answer.status_code != 200:
            raise ServerError(f"{_host(url)} answers {answer.status_code}: {error_text(answer)}", where=public_url(url))
        read = body_json(answer)
    if read is None:
        what = f"{_host(url)} answers with something else than JSON"
        raise ServerError(
            what, where=public_url(url), todo="try again later; a proxy or a login page may be in between"
        )
    return read


def body_json(answer: "Response") -> object:
    """Give the JSON in the body of `answer`, or None; at most 20 MB are read."""
    import json  # noqa: PLC0415 - with its only user

    with own_errors(answer.url):
        body = answer.raw.read(20_000_000, decode_content=True)
    try:
        read: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return read


def error_text(answer: "Response") -> str:
    """Give the host's own words for an error: `message` or `error` of its JSON, or the reason phrase."""
    read = body_json(answer)
    if isinstance(read, dict):
        words = read.get("message") or read.get("error")
        if isinstance(words, str):
            return clean_words(words, answer)
    return str(answer.reason or "no reason given")


def clean_words(words: str, answer: "Response") -> str:
    """Give a host's words without the token, should it send that back, and not too many of them."""
    sent = (one.request.headers.get("Authorization", "") for one in (*answer.history, answer))
    return redact(words, [str(header).rpartition(" ")[2] for header in sent])[:300]


@contextmanager
def own_errors(url: str) -> Iterator[None]:
    """Turn what requests and urllib3 raise into errors of our own, which name the host and no secret."""
    import requests  # noqa: PLC0415 - as above
    import urllib3  # noqa: PLC0415 - as above

    try:
        yield
    except (requests.exceptions.SSLError, urllib3.exceptions.SSLError) as error:
        raise tls_error(url, str(error)) from None  # the cause's text can hold the whole address
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError):
        raise no_network(url) from None  # the cause's text can hold the whole address
    except ValueError:  # requests looks where a redirect leads, also where it is not to follow
        raise bad_redirect(url) from None


def bad_redirect(url: str) -> ServerError:
    """Build the error for an answer that leads to what is no address."""
    return ServerError(f"{_host(url)} leads to an address that is none", where=public_url(url), todo="check the link")


def tls_error(url: str, said: str) -> TlsError:
    """Build the error for a certificate that is not accepted, or another failure of TLS; `said` tells which."""
    why = "its certificate is not accepted" if "certificate" in said.lower() else "TLS fails"
    todo = "check the clock and the proxy of this machine; behind a company's proxy set REQUESTS_CA_BUNDLE"
    return TlsError(f"no safe connection to {_host(url)}: {why}", todo=todo)


def no_network(url: str) -> NoNetworkError:
    """Build the error for a host that cannot be reached."""
    todo = "check the network, or fetch the file elsewhere and give its path"
    return NoNetworkError(f"{_host(url)} cannot be reached", todo=todo)


def _pause(answer: "Response", pause: float | None) -> float | None:
    if pause is None:
        return None
    asked = answer.headers.get("Retry-After", "")
    seconds = max(pause, float(asked)) if asked.isdecimal() else pause
    return seconds if seconds <= LONGEST_PAUSE else None


def _raise_for_all_hosts(answer: "Response", url: str) -> None:
    error = shared_error(answer.status_code, url, retry_after=answer.headers.get("Retry-After", ""))
    if error is not None:
        words = error_text(answer)
        answer.close()
        raise type(error)(f"{error.what} ({words})", where=error.where, todo=error.todo)


def shared_error(status: int, url: str, *, retry_after: str = "") -> BaseModelError | None:
    """Give the error for a status that means the same on every host, or None."""
    host = _host(url)
    if status == 429:
        when = f"try again in {retry_after} seconds" if retry_after.isdigit() else "try again in some minutes"
        return TooManyRequestsError(f"{host} says that there were too many requests", todo=when)
    if status == 451:
        todo = "fetch it from another place (many models are on Hugging Face too) and give that link or the file"
        return RegionBlockedError(f"{host} does not serve the country that this machine is in", todo=todo)
    if status >= 500:
        return ServerError(f"{host} fails with status {status}", todo="try again later")
    return None


def _host(url: str) -> str:
    return urlsplit(url).hostname or url
