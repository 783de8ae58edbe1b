"""What a picture board answers: what its status means, its own words without the keys, its body in full."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kohya_wrap.dataset.boorus.booru import Booru, Keys, Page
from kohya_wrap.errors import DatasetError
from kohya_wrap.files import output_error

if TYPE_CHECKING:
    from requests import Response

BUSY = frozenset({429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""Statuses after which it is worth to ask once more."""
_LARGEST_ANSWER, _LARGEST_FILE = 32 << 20, 256 << 20


class CutShortError(Exception):
    """An answer ended before its announced length; the client asks again, and never lets it out."""


def check(answer: "Response", url: str, booru: Booru, keys: Keys) -> None:
    """Raise DatasetError for every status but 200, in the service's own words."""
    name, code = booru.name, answer.status_code
    if code == 200:
        return
    said = own_words(answer.raw.read(100_000, decode_content=True), keys)
    said = f" ({said})" if said else ""
    variables = f"{booru.user_variable} and {booru.key_variable}"
    if code in {401, 403}:
        todo = f"check {variables}" if keys.given else f"set {variables}"
        raise DatasetError(f"{name} refuses with {code}{said}", where=name, todo=todo)
    if code == 429:
        when = seconds_asked(answer)
        todo = f"try again in {when} seconds" if when else "try again in some minutes"
        raise DatasetError(f"{name} says that there were too many requests{said}", where=name, todo=todo)
    if code == 422:
        todo = f"use fewer tags (two without an account), or set {variables}"
        raise DatasetError(f"{name} does not take these tags{said}", where=name, todo=todo)
    raise DatasetError(f"{name} answers {code}{said}", where=shown(url), todo="try again later")


def seconds_asked(answer: "Response") -> int:
    """Give the seconds of Retry-After; 0 without one, and for a date."""
    return _number(answer.headers.get("Retry-After", "")) or 0


def read_page(body: bytes, booru: Booru, keys: Keys) -> Page:
    """Read the posts out of an answer. Raises DatasetError for anything else, again in the service's own words."""
    try:
        return booru.read(json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        what = "answers with a web page" if body.lstrip()[:1] == b"<" else "answers with something else than posts"
        words = own_words(body, keys)
        what = f"{booru.name} {what}{f': {words}' if words else ''}"
        todo = "try again later; a check for robots or a proxy may be in between"
        raise DatasetError(what, where=booru.name, todo=todo) from None


def own_words(body: bytes, keys: Keys) -> str:
    """Give the message of a JSON answer, without the keys, should they be sent back; empty for anything else."""
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    named = [read[key] for key in ("message", "reason", "error") if read.get(key)] if isinstance(read, dict) else []
    words = str(named[0]) if named else ""
    for secret in filter(None, (keys.key, keys.user)):
        words = words.replace(secret, "[hidden]")
    return words[:200]


def read_body(answer: "Response") -> bytes:
    """Give the body of an answer. Raises CutShortError."""
    body: bytes = answer.raw.read(_LARGEST_ANSWER, decode_content=True)
    _check_length(answer, len(body))
    return body


def save_body(answer: "Response", target: Path) -> str:
    """Write the body; give its MD5 in hex. Raises CutShortError, DatasetError, OutputError, DiskFullError."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    try:
        with target.open("wb") as file:
            for chunk in answer.iter_content(1 << 18):
                size += len(chunk)
                if size > _LARGEST_FILE:
                    raise DatasetError(f"has more than {_LARGEST_FILE >> 20} MiB", where=shown(answer.url))
                digest.update(chunk)
                file.write(chunk)
    except OSError as error:
        if error.errno is None:  # requests' own errors are of this kind as well
            raise
        raise output_error(error, target) from error
    _check_length(answer, size)
    return digest.hexdigest()


def _check_length(answer: "Response", size: int) -> None:
    announced = _number(answer.headers.get("Content-Length", ""))
    if announced not in {None, size} and not answer.headers.get("Content-Encoding"):
        raise CutShortError


def _number(text: str) -> int | None:
    # Headers are Latin-1: "\u00b2" counts as a digit, and is no number.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def shown(url: str) -> str:
    """Give an address without its query, which may hold a signature."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
