"""Speaks HTTP with a web UI's server; everything that can go wrong has its sentence, and no password is in any."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from kohya_wrap.errors import WebUIError

_CONNECT = 5.0
SOON, LONG = 30.0, 900.0
"""Seconds that an answer may take: to a question, and to a picture being drawn."""
_LARGEST = 256 << 20


@dataclass(frozen=True, slots=True)
class Server:
    """A web UI's server. `how`: what must be true for its API to be there. `auth`: user and password, or neither."""

    title: str
    address: str
    address_variable: str
    how: str
    auth: tuple[str, str] | None = field(default=None, repr=False)
    auth_variable: str = ""

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None, *, within: float = SOON) -> Any:
        """Give the JSON of an answer; None where there is none. Raises WebUIError."""
        content = self.fetch(method, path, body, within=within)
        if not content.strip():
            return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            page = "a web page" if content.lstrip()[:1] == b"<" else "something else than JSON"
            raise self.error(f"answers {path} with {page}", self.how) from None

    def fetch(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        params: Mapping[str, str] | None = None,
        within: float = SOON,
    ) -> bytes:
        """Give the bytes of an answer. Raises WebUIError."""
        import requests  # noqa: PLC0415 - slow to import, and most commands ask no server

        with requests.Session() as session:
            session.trust_env = False  # neither a proxy nor ~/.netrc is between a person and their own server
            session.auth = self.auth
            try:
                answer = session.request(
                    method,
                    self.address + path,
                    json=body,
                    params=params,
                    timeout=(_CONNECT, within),
                    allow_redirects=False,
                )
            except requests.exceptions.ReadTimeout:
                raise self.error(f"did not answer {path} within {within:.0f} s", "look at its window") from None
            except (requests.exceptions.RequestException, ValueError):
                raise self.error("does not answer, or broke the connection", self._start()) from None
        if answer.status_code in {401, 403}:
            raise self.error("asks for a password", self._password())
        if answer.status_code == 404 and not _words(answer.content):
            raise self.error(f"has no {path}", self.how)
        if answer.status_code != 200:
            said = _words(answer.content)
            raise self.error(f"answers {answer.status_code}{f': {said}' if said else ''}", "look at its window")
        if len(answer.content) > _LARGEST:
            raise self.error(f"answers {path} with more than {_LARGEST >> 20} MiB")
        return answer.content

    def error(self, what: str, todo: str = "") -> WebUIError:
        """Make an error that names this server."""
        parts = urlsplit(self.address)
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return WebUIError(f"{self.title} {what}", where=shown, todo=todo)

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
    parts = []
    for key in ("error", "detail", "errors", "message"):
        value = read.get(key)
        value = value.get("message") if isinstance(value, dict) else value
        parts += [str(value)] if value else []
    return "; ".join(dict.fromkeys(parts))[:300]
