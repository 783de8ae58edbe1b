"""Speaks HTTP with a web UI's server; everything that can go wrong has its sentence, and no password is in any."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from kohya_wrap.base_models.redact import redact
from kohya_wrap.errors import WebUIError

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

_CONNECT = 5.0
SOON, LONG = 30.0, 900.0
"""Seconds that an answer may take: to a question, and to a picture being drawn."""
_LARGEST = 256 << 20
_HERE = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True)
class Server:
    """A web UI's server. `how`: what must be true for its API to be there. `auth`: user and password, or neither.

    `soon`, `long`: seconds that an answer to a question, and a picture, may take.
    """

    title: str
    address: str
    address_variable: str
    how: str
    auth: tuple[str, str] | None = field(default=None, repr=False)
    auth_variable: str = ""
    soon: float = SOON
    long: float = LONG

    @classmethod
    def at(
        cls, title: str, address: str, variable: str, how: str, *, auth: str = "", auth_variable: str = ""
    ) -> "Server":
        """Make one of settings; a user and password may stand in the address, too, and are taken out of it."""
        parts = urlsplit(address if "://" in address else f"http://{address}")
        before, _, host = parts.netloc.rpartition("@")
        user, _, password = (auth or unquote(before)).partition(":")
        clean = f"{parts.scheme}://{host}{parts.path}".rstrip("/")
        return cls(title, clean, variable, how, (user, password) if user else None, auth_variable)

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None, *, within: float = 0.0) -> Any:
        """Give the JSON of an answer; None where there is none. Raises WebUIError."""
        content = self.fetch(method, path, body, within=within)
        if not content.strip():
            return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            page = "a web page" if content.lstrip()[:1] == b"<" else "something else than JSON"
            raise self.error(f"answers {path} with {page}", f"look what is at that address; {self.how}") from None

    def fetch(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        params: Mapping[str, str] | None = None,
        within: float = 0.0,
    ) -> bytes:
        """Give the bytes of an answer; `within` seconds, else `soon`. Raises WebUIError."""
        import requests  # noqa: PLC0415 - slow to import, and most commands ask no server

        seconds = within or self.soon
        with requests.Session() as session:
            session.trust_env = urlsplit(self.address).hostname not in _HERE  # no proxy leads to one's own machine
            try:
                answer = session.request(
                    method,
                    self.address + path,
                    json=body,
                    params=params,
                    auth=self._sign,
                    timeout=(_CONNECT, seconds),
                    allow_redirects=False,
                )
            except requests.exceptions.ReadTimeout:
                what = f"did not answer {path} within {seconds:g} s"
                raise self.error(what, "look at its window: it may be loading a model, or drawing for others") from None
            except requests.exceptions.SSLError:
                raise self.error("has no certificate that is accepted", "set REQUESTS_CA_BUNDLE") from None
            except (requests.exceptions.RequestException, ValueError):
                raise self.error("does not answer, or broke the connection", self._start()) from None
        self._judge(answer, path)
        return answer.content

    def _judge(self, answer: "Response", path: str) -> None:
        status = answer.status_code
        said = self._redacted(_words(answer.content))
        if status in {401, 403}:
            wrong = "does not accept the password" if self.auth else "asks for a password"
            raise self.error(wrong, self._password())
        if 300 <= status < 400:
            raise self.error(f"sends {path} elsewhere: a login page, or another address", self._start())
        if status == 404 and not said:
            raise self.error(f"has no {path}", self.how)
        if status != 200:
            raise self.error(f"answers {path} with {status}{f': {said}' if said else ''}", "look at its window")
        if len(answer.content) > _LARGEST:
            raise self.error(f"answers {path} with more than {_LARGEST >> 20} MiB")

    def error(self, what: str, todo: str = "") -> WebUIError:
        """Make an error that names this server."""
        return WebUIError(f"{self.title} {what}", where=self.address, todo=todo)

    def _sign(self, request: "PreparedRequest") -> "PreparedRequest":
        """Sign a request; given as `auth`, so that a .netrc cannot take its place."""
        if self.auth:
            text = base64.b64encode(":".join(self.auth).encode()).decode()
            request.headers["Authorization"] = f"Basic {text}"
        return request

    def _redacted(self, text: str) -> str:
        return redact(text, self.auth[1:] if self.auth else ())

    def _start(self) -> str:
        return f"start it; {self.how}; {self.address_variable} says where it is"

    def _password(self) -> str:
        return f"set {self.auth_variable} to user:password" if self.auth_variable else "let it run without one"


def _words(content: bytes) -> str:
    """Give what an error's JSON says; the names of the fields are FastAPI's, A1111's and ComfyUI's."""
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(read, dict) or read == {"detail": "Not Found"}:
        return ""
    parts = [part for key in ("error", "detail", "errors", "message") for part in _parts(read.get(key))]
    nodes = read.get("node_errors")
    for node in nodes.values() if isinstance(nodes, dict) else ():
        parts += _parts(node.get("errors") if isinstance(node, dict) else None)
    return "; ".join(dict.fromkeys(parts))[:300]


def _parts(value: object) -> Iterator[str]:
    """Give the texts of an error: a text, a table with `message` and `details` (ComfyUI) or `msg` (FastAPI), a list."""
    match value:
        case [*several]:
            for each in several:
                yield from _parts(each)
        case {"message": str(message), **more}:
            details = more.get("details")
            yield f"{message}: {details}" if details else message
        case {"msg": str(message), **more}:
            place = more.get("loc")
            yield f"{'.'.join(map(str, place))}: {message}" if isinstance(place, list) else message
        case None | "" | {}:
            return
        case _:
            yield str(value)
