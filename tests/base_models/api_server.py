"""A small web server for tests: routes are functions, and every request is kept."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request. Header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def token(self) -> str:
        """The bearer token that came with it."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Answer:
    """One answer; `body` is sent as it is."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Route = Callable[[Asked], Answer | None]


def as_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


def as_file(asked: Asked, content: bytes, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with bytes; a range is honoured."""
    wanted = asked.headers.get("range", "")
    base = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream", **(headers or {})}
    if not wanted.startswith("bytes="):
        return Answer(200, content, base)
    start, _, end = wanted.removeprefix("bytes=").partition("-")
    first, last = int(start), min(int(end) if end else len(content) - 1, len(content) - 1)
    if first >= len(content):
        return Answer(416, b"", {**base, "Content-Range": f"bytes */{len(content)}"})
    part = content[first : last + 1]
    return Answer(206, part, {**base, "Content-Range": f"bytes {first}-{last}/{len(content)}"})


class ApiServer:
    """Answers from the first route that has an answer, else 404; `asked` and `answered` hold everything in order."""

    def __init__(self, *routes: Route) -> None:
        self.routes = list(routes)
        self.asked: list[Asked] = []
        self.answered: list[Answer] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [asked.path for asked in self.asked]

    @contextmanager
    def running(self) -> Iterator["ApiServer"]:
        """Serve while the context lasts."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, asked: Asked) -> Answer:
        """Answer one request."""
        self.asked.append(asked)
        found = next((answer for route in self.routes if (answer := route(asked))), None)
        answer = found or as_json({"error": "not found"}, 404)
        self.answered.append(answer)
        return answer

    def wrap(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers)
                answer = server.answer(asked)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in answer.headers:
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                """Tests read `asked` instead."""

        return Handler
