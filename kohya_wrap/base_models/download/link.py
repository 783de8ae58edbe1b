"""The address of a file while it is fetched: redirects followed once, the token kept at home, renewed when it ends."""

import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from kohya_wrap.base_models.access import USER_AGENT
from kohya_wrap.base_models.download.answers import REFUSED, check_status
from kohya_wrap.base_models.download.request import DownloadRequest, Version
from kohya_wrap.base_models.download.spans import Span
from kohya_wrap.base_models.download.tries import MOST_AT_FIRST, BrokenError, Tries
from kohya_wrap.base_models.errors import NoNetworkError, ServerError, TlsError
from kohya_wrap.base_models.redact import public_url
from kohya_wrap.base_models.web import TIMEOUT, bad_redirect, own_errors
from kohya_wrap.errors import BaseModelError

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

_MOVED = frozenset({301, 302, 303, 307, 308})
_MOST_HOPS = 6
_MOST_RENEWALS = 2
"""Fresh addresses in a row that no byte came from."""


class Link:
    """Opens ranges of one file on up to `connections` kept-alive connections, from any thread."""

    def __init__(self, request: DownloadRequest, *, connections: int) -> None:
        import requests  # noqa: PLC0415 - slow to import, and most commands fetch nothing

        self._request = request
        self._home = _origin(request.url)
        self._entry = request.url
        self._direct = ""
        self._renewals = 0
        self._worked = False
        self._resolving = threading.Lock()
        self._session = requests.Session()
        self._session.auth = _unchanged
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, requests.adapters.HTTPAdapter(4, connections))

    def open(self, span: Span | None, version: Version | None = None) -> "Response":
        """Ask for `span`, or for everything; the answer is checked and its body unread: 200, 206 or 416.

        With `version`, a host that has another one by now answers 200. Raises BrokenError or a BaseModelError.
        """
        headers = {} if span is None else {"Range": f"bytes={span[0]}-{span[1] - 1}"}
        if span is not None and version is not None and version.validator:
            headers["If-Range"] = version.validator
        while True:
            answer, begun, address = self._ask(headers)
            if answer.status_code in REFUSED and self._renew(begun):
                answer.close()
                continue
            try:
                check_status(answer, address, signed_in=self._is_signed_in(address))
            except BaseModelError as error:
                answer.close()
                if answer.status_code in REFUSED and self._worked:  # some hosts refuse what is one connection too many
                    raise BrokenError(error, busy=True) from None
                raise
            except BrokenError:
                answer.close()
                raise
            self._renewals = 0
            self._worked = True
            return answer

    def open_patiently(self, span: Span | None, patience: float) -> "Response":
        """Open as `open` does, again and again after pauses. Raises a BaseModelError."""
        tries = Tries(patience, MOST_AT_FIRST)
        while True:
            try:
                return self.open(span)
            except BrokenError as broken:
                pause = tries.pause(broken)
                if pause is None:
                    raise broken.error from None
            time.sleep(pause)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _ask(self, headers: dict[str, str]) -> tuple["Response", str, str]:
        """Ask at the direct address, or find it first while the others wait; give the answer, that address, its own."""
        with self._resolving:
            begun = self._direct
            if not begun:
                answer, self._direct = self._follow(self._entry, headers)
                return answer, self._direct, self._direct
        answer, address = self._follow(begun, headers)
        return answer, begun, address

    def _follow(self, address: str, headers: dict[str, str]) -> tuple["Response", str]:
        for _ in range(_MOST_HOPS):
            answer = self._get(address, headers)
            target = answer.headers.get("Location", "")
            if answer.status_code not in _MOVED or not target:
                return answer, address
            answer.close()
            address = _next(address, target)
        raise ServerError("the link leads round in circles", where=public_url(address), todo="check the link")

    def _get(self, address: str, headers: dict[str, str]) -> "Response":
        secret = self._request.headers if _origin(address) == self._home else {}
        sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **secret, **headers}
        try:
            with own_errors(address):
                return self._session.get(address, headers=sent, timeout=TIMEOUT, stream=True, allow_redirects=False)
        except (NoNetworkError, TlsError) as error:
            raise BrokenError(error) from None

    def _renew(self, refused: str) -> bool:
        """Find another way when an address has ended, the direct one `refused`; False when there is none."""
        with self._resolving:
            if refused != self._direct:
                return True  # another connection has renewed it meanwhile
            if self._renewals >= _MOST_RENEWALS:
                return False
            entry = self._request.refresh() if self._request.refresh else self._request.url
            if entry == refused:
                return False
            self._renewals += 1
            self._entry, self._direct = entry, ""
            return True

    def _is_signed_in(self, address: str) -> bool:
        names = {name.lower() for name in self._request.headers}
        return _origin(address) == self._home and "authorization" in names


def _unchanged(request: "PreparedRequest") -> "PreparedRequest":
    """Stand in for requests' own sign-in, which would send what it finds in .netrc."""
    return request


def _next(address: str, target: str) -> str:
    try:
        url = urljoin(address, target)
        _origin(url)
    except ValueError:
        raise bad_redirect(address) from None
    if urlsplit(url).scheme == "https" or (urlsplit(url).scheme == "http" and urlsplit(address).scheme == "http"):
        return url
    raise ServerError("the link leads to an address that is not safe", where=public_url(url), todo="check the link")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
