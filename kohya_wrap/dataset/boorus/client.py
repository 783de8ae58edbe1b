"""Asks a picture board: slowly enough, patiently, and without a key in any message."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from kohya_wrap._version import __version__
from kohya_wrap.dataset.boorus.answers import (
    BUSY,
    CutShortError,
    check,
    read_body,
    read_page,
    save_body,
    seconds_asked,
    shown,
)
from kohya_wrap.dataset.boorus.booru import Booru, Keys, Page
from kohya_wrap.errors import DatasetError

if TYPE_CHECKING:
    from requests import Response

_TIMEOUT = (10.0, 30.0)
_PAUSES = (2.0, 8.0)
"""Seconds before the second and the third try; longer where Retry-After asks for it, up to _LONGEST."""
_LONGEST = 60.0
_FILE_PAUSE = 0.5
"""Seconds between two pictures: e621 allows two requests a second, the others do not say."""


@dataclass(slots=True)
class Client:
    """One service with one user's keys. `patience` stretches all pauses; 0 for tests."""

    booru: Booru
    address: str
    keys: Keys
    patience: float = 1.0
    _next: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def from_environment(cls, booru: Booru, env: Mapping[str, str], *, patience: float = 1.0) -> "Client":
        """Read the service's variables. Raises DatasetError where it wants a key and there is none."""
        keys = Keys(env.get(booru.user_variable, "").strip(), env.get(booru.key_variable, "").strip())
        if booru.needs_key and not keys.given:
            todo = f"set {booru.user_variable} and {booru.key_variable}, from the options of your account there"
            raise DatasetError(f"{booru.name} answers nobody without a key", where=booru.name, todo=todo)
        address = (env.get(booru.url_variable, "").strip() or booru.address).rstrip("/")
        return cls(booru, address, keys if keys.given else Keys(), patience)

    def page(self, tags: str, number: int) -> Page:
        """Ask for a page of posts. Raises DatasetError."""
        ask = self.booru.ask(tags, number, self.keys)
        more = {
            "params": dict(ask.query),
            "auth": (ask.basic.user, ask.basic.key) if ask.basic.given else None,
            "allow_redirects": False,  # a key must not follow one
        }
        self._keep_apart("api", self.booru.pause)
        return read_page(self._get(self.address + ask.path, read_body, more), self.booru, self.keys)

    def file(self, url: str, target: Path, md5: str) -> None:
        """Fetch a picture, without the keys; `md5` of its bytes, or empty. Raises DatasetError, OutputError."""
        try:
            whole = urljoin(self.address, url)
            scheme = urlsplit(whole).scheme
        except ValueError:
            whole, scheme = self.address, ""
        if scheme not in {"http", "https"}:
            raise DatasetError("a picture has no http address", where=shown(whole), todo="look at its page there")
        digest = ""
        for _ in range(2):
            self._keep_apart(urlsplit(whole).netloc, _FILE_PAUSE)
            digest = self._get(whole, lambda answer: save_body(answer, target), {})
            if not md5 or digest == md5:
                return
        what = f"arrived damaged: its MD5 is {digest}, {self.booru.name} says {md5}"
        raise DatasetError(what, where=shown(whole), todo="run again; it may have been replaced there")

    def _get(self, url: str, read: "Callable[[Response], Any]", more: Mapping[str, Any]) -> Any:
        """Ask up to three times; give what `read` makes of the answer."""
        import requests  # noqa: PLC0415 - slow to import, and most commands never ask a host

        headers = {"User-Agent": self._agent(), "Accept-Encoding": "identity"}
        for pause in (*_PAUSES, None):
            seconds = pause or 0.0
            with (
                self._broken_connections(url, raised=pause is None),
                requests.get(url, headers=headers, timeout=_TIMEOUT, stream=True, **more) as answer,
            ):
                seconds = max(seconds, seconds_asked(answer))
                if answer.status_code not in BUSY or pause is None or seconds > _LONGEST:
                    check(answer, url, self.booru, self.keys)
                    return read(answer)
            time.sleep(seconds * self.patience)
        raise AssertionError  # the last try returns or raises

    def _keep_apart(self, host: str, pause: float) -> None:
        """Wait until a host may be asked again, counted over all threads."""
        with self._lock:
            now = time.monotonic()
            mine = max(now, self._next.get(host, 0.0))
            self._next[host] = mine + pause * self.patience
        time.sleep(mine - now)

    def _agent(self) -> str:
        """Never a browser's: boards block those that pretend to be one, and e621 wants a name."""
        who = f" (by {self.keys.user} on {self.booru.name})" if self.booru.name == "e621" and self.keys.user else ""
        return f"kohya-wrap/{__version__}{who}"

    @contextmanager
    def _broken_connections(self, url: str, *, raised: bool) -> Iterator[None]:
        """Pass over a broken connection, or say it; its own text can hold the whole address, so it is dropped."""
        import requests  # noqa: PLC0415 - as above
        import urllib3  # noqa: PLC0415 - as above

        try:
            yield
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, CutShortError, ValueError):
            # ValueError: requests follows a redirect to what is no address.
            if raised:
                what = f"{urlsplit(url).hostname} cannot be reached, or breaks the connection"
                todo = "check the network and run again: it goes on"
                raise DatasetError(what, where=self.booru.name, todo=todo) from None
