"""A picture board on this machine, in three dialects, well-behaved or not, as facts about the services tell."""

import hashlib
import io
import json
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from PIL import Image

USER, KEY = "4711", "s3cret-api-key"


@dataclass
class Reply:
    """What is sent back. `announce`: a Content-Length other than the body's; the connection is closed then."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    announce: int | None = None


@dataclass
class Asked:
    """One request as it arrived. `basic`: user and key of HTTP Basic."""

    path: str
    query: dict[str, str]
    agent: str
    basic: str
    when: float


Wrong = Callable[[Asked, int], Reply | None]
"""Given a request and how often its path was asked for before: another reply, or None for the usual one."""


class BooruServer(ThreadingHTTPServer):
    """Serves posts with ids 1 to `count`; every picture is a plain one of its own colour."""

    daemon_threads = True

    def __init__(self, count: int = 5) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.count = count
        self.asked: list[Asked] = []
        self.wrong: Wrong = lambda asked, before: None
        self.changes: dict[int, dict[str, object]] = {}
        """Fields of a post, by id, in Gelbooru's names."""
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def env(self, site: str, *, keys: bool = True) -> dict[str, str]:
        """Give the variables that lead a client here."""
        user = {"gelbooru": "GELBOORU_USER_ID", "danbooru": "DANBOORU_LOGIN", "e621": "E621_LOGIN"}[site]
        name = site.upper()
        given = {user: USER, f"{name}_API_KEY": KEY} if keys else {}
        return {f"KOHYA_WRAP_{name}_URL": self.url, **given}

    def files(self) -> list[str]:
        """Name the pictures that were asked for."""
        return [asked.path for asked in self.asked if asked.path.startswith("/images/")]

    def post(self, number: int) -> dict[str, object]:
        """Give a post in Gelbooru's shape."""
        usual = {
            "id": number,
            "score": number,
            "width": 64,
            "height": 48,
            "md5": hashlib.md5(picture(number), usedforsecurity=False).hexdigest(),
            "rating": "general",
            "source": f"https://example.org/{number}?a=1&amp;b=2",
            "parent_id": 0,
            "tags": "1girl long_hair ^_^ holding_(object) don&#039;t_look",
            "file_url": f"{self.url}/images/{number}.png",
            "sample_url": f"{self.url}/images/sample_{number}.png",
            "status": "active",
        }
        return usual | self.changes.get(number, {})


def picture(number: int) -> bytes:
    """Give the bytes of a post's picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (number * 7 % 256, number * 31 % 256, number * 57 % 256)).save(buffer, "PNG")
    return buffer.getvalue()


class _Handler(BaseHTTPRequestHandler):
    server: BooruServer
    protocol_version = "HTTP/1.0"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        basic = b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        asked = Asked(parts.path, query, self.headers.get("User-Agent", ""), basic, time.monotonic())
        with self.server.lock:
            before = sum(other.path == asked.path for other in self.server.asked)
            self.server.asked.append(asked)
        reply = self.server.wrong(asked, before) or self._usual(asked)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body) if reply.announce is None else reply.announce))
        self.end_headers()
        self.wfile.write(reply.body)

    def _usual(self, asked: Asked) -> Reply:
        if asked.path.startswith("/images/"):
            name = asked.path.rpartition("/")[2].removesuffix(".png").removeprefix("sample_")
            return Reply(body=picture(int(name)))
        limit = int(asked.query["limit"])
        start = int(asked.query["pid"]) if "pid" in asked.query else int(asked.query["page"]) - 1
        posts = [self.server.post(at + 1) for at in range(start * limit, min((start + 1) * limit, self.server.count))]
        if asked.path == "/index.php":
            answer: dict[str, object] = {"@attributes": {"limit": limit, "offset": 0, "count": self.server.count}}
            return as_json(answer | ({"post": posts} if posts else {}))
        e621 = "kohya" in asked.agent and asked.query["limit"] == "320"
        return as_json({"posts": list(map(e621_post, posts))} if e621 else list(map(danbooru_post, posts)))


def as_json(value: object) -> Reply:
    """Give a reply in JSON."""
    return Reply(body=json.dumps(value).encode(), headers={"Content-Type": "application/json"})


def danbooru_post(post: dict[str, object]) -> dict[str, object]:
    """Give a post in Danbooru's shape."""
    tags = str(post["tags"]).replace("&#039;", "'").split()
    shape = {
        "id": post["id"],
        "score": post["score"],
        "image_width": post["width"],
        "image_height": post["height"],
        "md5": post["md5"],
        "rating": "g",
        "source": "https://example.org",
        "parent_id": post["parent_id"] or None,
        "tag_string_general": " ".join(tags),
        "tag_string_character": "tiger_(zodiac)",
        "tag_string_artist": "somebody",
        "tag_string_meta": "highres",
        "tag_string_copyright": "",
        "large_file_url": post["sample_url"],
    }
    return shape | ({"file_url": post["file_url"]} if post["file_url"] else {})


def e621_post(post: dict[str, object]) -> dict[str, object]:
    """Give a post in e621's older shape, which is still its default."""
    return {
        "id": post["id"],
        "file": {
            "width": post["width"],
            "height": post["height"],
            "md5": post["md5"],
            "url": post["file_url"] or None,
        },
        "sample": {"url": post["sample_url"]},
        "score": {"total": post["score"]},
        "tags": {"general": ["striped_fur"], "species": ["tiger"], "artist": ["somebody"], "meta": ["hi_res"]},
        "rating": "s",
        "relationships": {"parent_id": post["parent_id"] or None},
        "sources": ["https://example.org"],
        "flags": {"deleted": False},
    }


@contextmanager
def serving(count: int = 5) -> Iterator[BooruServer]:
    """Run a board while the block runs."""
    server = BooruServer(count)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
