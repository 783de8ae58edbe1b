"""What is no file never gets the name, and each refusal has its own class."""

import errno
import itertools
import os
import shutil
import time
from typing import NamedTuple

import pytest
from download_place import Place, content_of, refusal, sometimes
from fake_server import Served

from kohya_wrap.base_models.download.tries import BrokenError, Tries
from kohya_wrap.base_models.downloader import DownloadRequest, download
from kohya_wrap.base_models.errors import (
    AccessDeniedError,
    ArchivedError,
    HashMismatchError,
    LoginNeededError,
    NoNetworkError,
    NotAModelError,
    NotFoundError,
    RegionBlockedError,
    ServerError,
    StoreDiskFullError,
    TokenRefusedError,
    TooManyRequestsError,
)
from kohya_wrap.errors import BaseModelError

PAGE = b"<!DOCTYPE html><title>Log in</title>"
STATUSES = {
    401: LoginNeededError,
    403: AccessDeniedError,
    404: NotFoundError,
    410: ArchivedError,
    429: TooManyRequestsError,
    451: RegionBlockedError,
    418: ServerError,
    500: ServerError,
    502: ServerError,
    503: ServerError,
    504: ServerError,
}
MEBI = 1 << 20
RANGES = pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "one stream"])


class Usage(NamedTuple):
    """What shutil.disk_usage gives."""

    total: int
    used: int
    free: int


@pytest.mark.parametrize(("status", "error"), STATUSES.items())
def test_each_status_has_its_class(status: int, error: type[BaseModelError], place: Place) -> None:
    """And its exit code with it; nothing is left under the name or beside it."""
    with pytest.raises(BaseModelError) as caught:
        place.fetch(place.server.serve("/file", refusal(status)))
    assert type(caught.value) is error
    assert caught.value.todo
    assert place.left() == []


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (451, 1), (401, 1), (410, 1), (500, 3), (429, 3), (503, 3)])
def test_only_what_may_pass_is_tried_again(status: int, tries: int, place: Place) -> None:
    """A host that says no is asked once; one that is busy or fails a few times."""
    with pytest.raises(BaseModelError):
        place.fetch(place.server.serve("/file", refusal(status)))
    assert len(place.server.all_asked()) == tries


def test_a_failure_that_passes_is_not_noticed(place: Place) -> None:
    """Busy twice, then well: the file is whole."""
    busy = [refusal(503), refusal(429)]
    place.server.routes.insert(
        0, sometimes("/file", Served(place.source), lambda n: busy[n] if n < len(busy) else None)
    )
    place.check(place.fetch(f"{place.server.url}/file"))


def test_a_refused_token_is_told_from_none(place: Place) -> None:
    """401 to a request that carried one."""
    with pytest.raises(TokenRefusedError):
        place.fetch(place.server.serve("/file", refusal(401)), headers={"Authorization": "Bearer x"})


def test_retry_after_is_waited_for(place: Place) -> None:
    """The host asks for a second, and gets it."""
    url = place.server.url + "/file"
    late = refusal(429, Retry_After="1")
    place.server.routes.insert(0, sometimes("/file", Served(place.source), lambda n: late if n == 0 else None))
    place.target.parent.mkdir()
    began = time.monotonic()
    download(DownloadRequest(url), place.target)
    assert time.monotonic() - began >= 1


def test_the_pauses_grow_and_then_end() -> None:
    """Half a second, one, two, … about a minute in all; a host that wants more than two minutes is not waited for."""
    tries, passing = Tries(), BrokenError(ServerError("x"))
    pauses = [tries.pause(passing) for _ in range(8)]
    assert pauses[-1] is None
    given = [pause for pause in pauses if pause is not None]
    assert len(given) == 7
    assert 45 < sum(given) < 80
    assert all(after > before for before, after in itertools.pairwise(given))
    assert Tries().pause(BrokenError(ServerError("x"), wait=100.0)) == 100.0
    assert Tries().pause(BrokenError(ServerError("x"), wait=121.0)) is None


def test_bytes_that_come_begin_the_count_anew() -> None:
    """Eight breaks in a row end a download; eight breaks with bytes between them do not."""
    tries, passing = Tries(), BrokenError(ServerError("x"))
    for _ in range(20):
        assert tries.pause(passing) is not None
        tries.progress()


def test_nobody_there(place: Place) -> None:
    """A port where nothing listens is no network, and is said soon."""
    with pytest.raises(NoNetworkError):
        place.fetch("http://127.0.0.1:1/file")
    assert place.left() == []


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream", "application/json"])
@pytest.mark.parametrize("body", [PAGE, b'\n {"error": "log in"}', b'[{"code": 1}]', b"\xef\xbb\xbf<html>"])
def test_a_login_page_is_not_taken_for_the_file(kind: str, body: bytes, place: Place) -> None:
    """By its type or by its first bytes, with status 200 and whether the host knows ranges or not."""
    place.source.write_bytes(body)
    for ranges in (True, False):
        with pytest.raises(NotAModelError, match="in place of the file"):
            place.fetch(place.serve(ranges=ranges, headers={"Content-Type": kind}))
        assert place.left() == []


@pytest.mark.parametrize("sign", [b"<", b"{", b"["])
def test_a_header_length_that_looks_like_text_is_a_file(sign: bytes, place: Place) -> None:
    """A .safetensors header of 60, 91 or 123 bytes begins with the sign of a page; the length says what it is."""
    place.content = sign + bytes(7) + b'{"a":' + content_of(5000)
    place.source.write_bytes(place.content)
    place.check(place.fetch(place.serve()))


def test_a_page_in_the_middle_is_not_taken_for_a_part(place: Place) -> None:
    """Once signed out, a host sends its login page for every range: nothing of it is written."""
    page = Served(status=200, body=PAGE, file=None, headers={"Content-Type": "text/html"})
    slow = Served(place.source, rate=4e5, step=1 << 12)
    place.server.routes.insert(0, sometimes("/file", slow, lambda n: page if n > 5 else None))
    with pytest.raises(NotAModelError):
        place.fetch(f"{place.server.url}/file")
    assert not place.target.exists()


@RANGES
def test_shorter_than_announced(*, ranges: bool, place: Place) -> None:
    """A host that promises bytes which it does not have: the name is never given."""
    with pytest.raises(ServerError):
        place.fetch(place.serve(ranges=ranges, announced=500))
    assert not place.target.exists()


def test_chunks_that_end_too_early(place: Place) -> None:
    """Where no length is announced, the missing last chunk tells."""
    with pytest.raises(ServerError):
        place.fetch(place.serve(ranges=False, length=False, cut=400_000))
    assert place.left() == []


@RANGES
def test_another_size_than_the_host_said(*, ranges: bool, place: Place) -> None:
    """Both sizes are named; with ranges nothing but the first few bytes was fetched for that."""
    with pytest.raises(HashMismatchError, match="1,000,000 bytes, not 1,000,001"):
        place.fetch(place.serve(ranges=ranges), size=1_000_001)
    assert place.left() == []


@RANGES
def test_another_hash_keeps_nothing(*, ranges: bool, place: Place) -> None:
    """Both hashes are named, and what to do; the file is gone."""
    with pytest.raises(HashMismatchError) as caught:
        place.fetch(place.serve(ranges=ranges), sha256="0" * 64)
    assert place.sha256 in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert "pin the new hash" in caught.value.todo
    assert place.left() == []


def test_a_file_that_is_sent_compressed_is_refused(place: Place) -> None:
    """Its ranges and its length would be those of something else."""
    with pytest.raises(ServerError, match="compressed"):
        place.fetch(place.serve(headers={"Content-Encoding": "gzip"}))


@RANGES
def test_no_room_is_said_before_anything_is_fetched(
    *, ranges: bool, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is asked first: how much is needed, how much is free, where."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10 * MEBI, 10 * MEBI, 1000))
    with pytest.raises(StoreDiskFullError) as caught:
        place.fetch(place.serve(ranges=ranges))
    assert str(place.target.parent) in str(caught.value)
    assert place.left() == []
    assert place.server.sent < 100_000 or not ranges


@RANGES
def test_a_disk_that_fills_up_on_the_way(*, ranges: bool, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else took the room meanwhile: it is said in the same words, and nothing gets the name."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    url = place.serve(ranges=ranges)
    monkeypatch.setattr(os, "posix_fallocate" if ranges else "fsync", full)
    with pytest.raises(StoreDiskFullError):
        place.fetch(url)
    assert place.left() == []


def test_the_file_takes_all_its_room_at_once(place: Place) -> None:
    """The temporary file is as large as the whole from the start, in blocks and not only in name."""
    sizes: list[int] = []

    def look(done: int, _: int) -> None:
        part = place.target.with_name("model.safetensors.part")
        if part.exists() and done < len(place.content):
            sizes.append(part.stat().st_blocks * 512)

    place.target.parent.mkdir()
    download(DownloadRequest(place.serve(rate=2e5, step=1 << 12)), place.target, on_progress=look)
    assert sizes
    assert min(sizes) >= len(place.content)
