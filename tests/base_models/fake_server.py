"""A file host for tests: it serves ranges with sendfile, in every good and bad way that services.md describes.

`FileServer` is one host and port; a redirect leads from one to another. It can run in a process of its own
(`python fake_server.py FILE --rate BYTES`), so that a benchmark's client does not share its interpreter.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request for a file. `span`: the bytes that were asked for, end excluded, None for all. `sent`: how many."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    span: tuple[int, int] | None
    status: int = 0
    sent: int = 0


@dataclass(frozen=True)
class Served:
    """How a path answers.

    `status` other than 200 answers with `body`; `location` redirects. `ranges` False ignores Range. `cut`: the
    connection breaks at every multiple of so many bytes of the file. `rate`: bytes a second for each connection, sent
    `step` bytes at a time. `delay`: seconds before the first byte. `length` False sends chunks of unknown total.
    `announced`: added to the file's length wherever that is said, which then is a lie. `headers` are added, and
    may replace.
    """

    file: Path | None = None
    status: int = 200
    body: bytes = b""
    location: str = ""
    etag: str = '"v1"'
    ranges: bool = True
    length: bool = True
    cut: int = 0
    rate: float = 0.0
    step: int = 1 << 18
    delay: float = 0.0
    announced: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


Route = Callable[[Asked], Served | None]


class FileServer:
    """Answers from the first route that has an answer, else 404; `asked` holds every request in order of its end.

    `all_asked()` waits for those that are still being answered, as the client may end before the server does.
    `buffer`: bytes that the kernel may hold for one connection, 0 for its own choice. `connections` were made so far.
    """

    def __init__(self, *routes: Route, host: str = "127.0.0.1", buffer: int = 0) -> None:
        self.routes = list(routes)
        self.asked: list[Asked] = []
        self.connections = 0
        self.busy = 0
        self.sent_by_now = 0
        self.lock = threading.Lock()
        self.buffer = buffer
        self._host = host
        self._server = _Server(self, (host, 0))

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self._host}:{self._server.server_address[1]}"

    def serve(self, path: str, served: Served) -> str:
        """Answer `path` so from now on, and give its address."""
        self.routes.insert(0, lambda asked: served if asked.path == path else None)
        return self.url + path

    def all_asked(self) -> list[Asked]:
        """Give every request, once the last one has been answered or broken off."""
        deadline = time.monotonic() + 5
        while self.busy and time.monotonic() < deadline:
            time.sleep(0.002)
        return list(self.asked)

    def spans(self) -> list[tuple[int, int]]:
        """Give the ranges that were asked for and answered with bytes."""
        return [asked.span for asked in self.all_asked() if asked.span is not None and asked.status == 206]

    @property
    def sent(self) -> int:
        """The bytes of files that went out."""
        return sum(asked.sent for asked in self.all_asked())

    @contextmanager
    def running(self) -> Iterator["FileServer"]:
        """Serve while the context lasts."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def find(self, asked: Asked) -> Served:
        """Find the answer to a request."""
        for route in self.routes:
            if served := route(asked):
                return served
        return Served(status=404, body=b"not here")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, files: FileServer, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)
        self.files = files

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of the tests."""


class GoneError(ConnectionError):
    """The connection breaks here."""


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.next_byte = 0.0
        self.server.files.connections += 1
        if self.server.files.buffer:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.server.files.buffer)

    def do_GET(self) -> None:
        files = self.server.files
        with files.lock:
            files.busy += 1
        try:
            self.get()
        finally:
            with files.lock:
                files.busy -= 1

    def get(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(parts.path, dict(parse_qsl(parts.query)), headers, _span(headers.get("range", "")))
        served = self.server.files.find(asked)
        self.status, self.sent_bytes = served.status, 0
        try:
            self.answer(asked, served)
        except OSError:  # the client has gone, or is cut off here
            self.close_connection = True
        finally:
            self.server.files.asked.append(replace(asked, status=self.status, sent=self.sent_bytes))

    def answer(self, asked: Asked, served: Served) -> None:
        time.sleep(served.delay)
        if served.location:
            self.head(307, {"Location": served.location, "Content-Length": "0", **served.headers})
        elif served.file is None or served.status != 200:
            self.head(served.status, {"Content-Length": str(len(served.body)), **served.headers})
            self.wfile.write(served.body)
        else:
            self.send(asked, served, served.file)

    def send(self, asked: Asked, served: Served, path: Path) -> None:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            base = {"Content-Type": "application/octet-stream", "ETag": served.etag}
            start, end, status = 0, size, 200
            valid = {served.etag, served.headers.get("Last-Modified", ""), ""}
            if_range = asked.headers.get("if-range", "")
            if served.ranges and asked.span is not None and if_range in valid and not if_range.startswith("W/"):
                start, end, status = asked.span[0], min(asked.span[1], size), 206
                base["Content-Range"] = f"bytes {start}-{end - 1}/{size + served.announced}"
            if start >= size and status == 206:
                self.head(416, {"Content-Range": f"bytes */{size}", "Content-Length": "0"})
                return
            if served.length:
                base["Content-Length"] = str(end - start + served.announced)
            else:
                base["Transfer-Encoding"] = "chunked"
            self.head(status, {**base, **served.headers})
            self.body(file.fileno(), start, end, served)

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def body(self, file: int, start: int, end: int, served: Served) -> None:
        self.wfile.flush()
        while start < end:
            step = min(end - start, served.step if served.rate else 1 << 24)
            if served.cut:
                step = min(step, served.cut - start % served.cut)
            self.chunk(file, start, step, served)
            start += step
            if served.cut and start % served.cut == 0 and start < end:
                self.connection.shutdown(socket.SHUT_RDWR)
                raise GoneError
            self.pace(step, served.rate)
        if not served.length:
            self.wfile.write(b"0\r\n\r\n")
        if served.announced:
            self.close_connection = True

    def chunk(self, file: int, at: int, step: int, served: Served) -> None:
        if not served.length:
            self.wfile.write(f"{step:x}\r\n".encode())
        left = step
        while left:
            sent = os.sendfile(self.connection.fileno(), file, at, left)
            at, left = at + sent, left - sent
            self.sent_bytes += sent
            with self.server.files.lock:
                self.server.files.sent_by_now += sent
        if not served.length:
            self.wfile.write(b"\r\n")

    def pace(self, step: int, rate: float) -> None:
        """Hold this connection, over all its requests, to `rate`; it saves nothing up while it is idle."""
        if rate:
            now = time.monotonic()
            self.next_byte = max(self.next_byte, now - 0.02) + step / rate
            time.sleep(max(0.0, self.next_byte - now))

    def log_message(self, *_: Any) -> None:
        """Tests read `asked` instead."""


def _span(wanted: str) -> tuple[int, int] | None:
    if not wanted.startswith("bytes="):
        return None
    start, _, end = wanted.removeprefix("bytes=").partition("-")
    return int(start), int(end) + 1 if end else sys.maxsize


def main() -> None:
    """Serve one file in a process of its own: prints the address, then runs until its standard input ends."""
    path, rate = Path(sys.argv[1]), float(sys.argv[2])
    with FileServer().running() as server:
        sys.stdout.write(server.serve("/file", Served(path, rate=rate)) + "\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            sys.stdin.read()


if __name__ == "__main__":
    main()
