"""A download over many connections: whole, right, resumed, and no more asked for than is missing."""

import itertools
import threading
from pathlib import Path

import pytest
from download_place import PIECE, Place, content_of, refusal, sometimes
from fake_server import Asked, Served

from kohya_wrap.base_models.download.part import part_paths
from kohya_wrap.base_models.errors import NotFoundError, ServerError


def disjoint(spans: list[tuple[int, int]]) -> bool:
    ordered = sorted(spans)
    return all(before[1] <= after[0] for before, after in itertools.pairwise(ordered))


def test_a_file_comes_over_many_connections(place: Place) -> None:
    """Each byte is asked for once, on several connections that are kept, and the SHA256 is that of the file."""
    place.check(place.fetch(place.serve(rate=4e5, step=1 << 12)))
    spans = place.server.spans()
    assert disjoint(spans)
    assert sum(end - start for start, end in spans) == len(place.content)
    assert 4 <= place.server.connections <= 17
    assert len(spans) > place.server.connections


def test_the_headers_name_this_program_and_refuse_compression(place: Place) -> None:
    """Never a browser's name, and never a coding that would hide the length."""
    place.fetch(place.serve())
    for asked in place.server.all_asked():
        assert asked.headers["user-agent"].startswith("kohya-wrap/")
        assert asked.headers["accept-encoding"] == "identity"


def test_progress_is_told_from_first_to_last(place: Place) -> None:
    """It only grows, knows the total from the start, and ends with it."""
    place.fetch(place.serve(rate=2e5, step=1 << 12))
    done = [state[0] for state in place.shown]
    assert done == sorted(done)
    assert len(set(done)) > 2
    assert {state[1] for state in place.shown} == {len(place.content)}
    assert done[-1] == len(place.content)


def test_connections_that_are_cut_at_every_tenth_part(place: Place) -> None:
    """A break costs what was in the air: the file comes whole, each time from where the connection broke."""
    place.check(place.fetch(place.serve(cut=len(place.content) // 10, rate=2e7, step=1 << 12)))
    assert place.server.sent < len(place.content) * 1.05


def test_connections_that_are_cut_after_every_few_kilobytes(place: Place) -> None:
    """However short they live, as long as bytes come it goes on."""
    place.check(place.fetch(place.serve(cut=9001)))


def test_a_slow_first_byte(place: Place) -> None:
    """A host that thinks for a while is waited for, on every connection."""
    place.check(place.fetch(place.serve(delay=0.4)))


def test_a_host_that_serves_less_than_a_range(place: Place) -> None:
    """A range may be answered with its beginning; the rest is asked for again."""

    def route(asked: Asked) -> Served | None:
        if asked.span is None or asked.span[1] - asked.span[0] <= 5000:
            return None
        start, end = asked.span[0], asked.span[0] + 5000
        head = {"Content-Range": f"bytes {start}-{end - 1}/{len(place.content)}", "ETag": '"v1"'}
        return Served(status=206, body=place.content[start:end], headers=head)

    url = place.serve()
    place.server.routes.insert(0, route)
    place.check(place.fetch(url))


def test_a_host_that_serves_more_than_a_range(place: Place) -> None:
    """What goes beyond the range that was asked for is not written over what another connection brought."""

    def route(asked: Asked) -> Served | None:
        if asked.span is None or asked.span[0] == 0:
            return None
        start, end = asked.span[0], min(asked.span[1], len(place.content))
        head = {"Content-Range": f"bytes {start}-{end - 1}/{len(place.content)}", "ETag": '"v1"'}
        return Served(status=206, body=place.content[start:end] + b"\xff" * 3000, headers=head)

    url = place.serve()
    place.server.routes.insert(0, route)
    place.check(place.fetch(url))


def test_what_an_earlier_call_left_is_gone_on_from(place: Place) -> None:
    """Broken off half-way, the second call asks for nothing that the first one wrote."""
    slow = Served(place.source, rate=4e5, step=1 << 12)
    place.server.routes.insert(0, sometimes("/file", slow, lambda number: refusal(404) if number > 20 else None))
    with pytest.raises(NotFoundError, match="does not have the file"):
        place.fetch(place.server.url + "/file")
    written = _written(place)
    place.check(place.fetch(place.storage.serve("/file", slow)))
    assert written
    assert disjoint([*written, *place.storage.spans()])


def test_a_call_that_was_killed_before_the_last_step_asks_for_nothing(place: Place) -> None:
    """All bytes are there: they are hashed and get their name without a request."""
    url = place.serve()
    place.fetch(url)
    part, journal = part_paths(place.target)
    place.target.rename(part)
    journal.write_text(f'{{"size": {len(place.content)}, "etag": "\\"v1\\"", "modified": "", "boot": ""}}\n')
    with journal.open("a") as file:
        file.write(f"0 {len(place.content)}\n")
    place.server.asked.clear()
    place.check(place.fetch(url, sha256=place.sha256))
    assert place.server.all_asked() == []


def test_a_whole_file_is_not_fetched_again(place: Place) -> None:
    """Killed after the last step: the name is there, its hash is right."""
    url = place.serve()
    place.fetch(url)
    place.server.asked.clear()
    place.check(place.fetch(url, sha256=place.sha256))
    assert place.server.all_asked() == []


@pytest.mark.parametrize("harm", ["journal gone", "journal of another kind", "part cut", "part without a version"])
def test_what_cannot_be_trusted_is_fetched_anew(harm: str, place: Place) -> None:
    """A journal that does not fit its file, or could belong to another one, is not believed."""
    url = place.serve()
    place.target.parent.mkdir()
    part, journal = part_paths(place.target)
    part.write_bytes(bytes(len(place.content)))
    head = f'{{"size": {len(place.content)}, "etag": "%s", "modified": "", "boot": "%s"}}\n0 500000\n'
    version = "" if harm == "part without a version" else '\\"v1\\"'
    journal.write_text(head % (version, _boot()))
    if harm == "journal gone":
        journal.unlink()
    elif harm == "journal of another kind":
        journal.write_text("[1, 2]\n0 500000\n")
    elif harm == "part cut":
        part.write_bytes(b"short")
    place.check(place.fetch(url))


def test_a_part_that_was_damaged_is_found_by_the_hash_and_fetched_anew(place: Place) -> None:
    """The journal says more than the disk has: the hash tells, and the second start is from nothing."""
    url = place.serve()
    place.target.parent.mkdir()
    part, journal = part_paths(place.target)
    part.write_bytes(bytes(len(place.content)))
    journal.write_text(f'{{"size": {len(place.content)}, "etag": "\\"v1\\"", "modified": "", "boot": ""}}\n0 500000\n')
    place.check(place.fetch(url, sha256=place.sha256))


@pytest.mark.parametrize("size", [9, 100, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_small_files(size: int, place: Place) -> None:
    """Smaller than the first request, as large, and a little larger."""
    place.content = content_of(size)
    place.source.write_bytes(place.content)
    place.check(place.fetch(place.serve()))


def test_an_empty_file(place: Place) -> None:
    """It has no range at all; it is fetched as it is, and whoever wanted a model says what is wrong with it."""
    place.content = b""
    place.source.write_bytes(b"")
    assert place.fetch(place.serve()).size == 0


def test_ranges_ignored_means_one_stream(place: Place) -> None:
    """The answer to the first request is taken as the file: one request, one connection."""
    place.check(place.fetch(place.serve(ranges=False)))
    assert [asked.sent for asked in place.server.all_asked()] == [len(place.content)]


def test_an_unknown_length_means_one_stream(place: Place) -> None:
    """Chunks of unknown total are taken as they come; progress has no total until the end."""
    place.check(place.fetch(place.serve(ranges=False, length=False, rate=4e6)))
    assert place.shown[-1] == (len(place.content), len(place.content))


def test_a_cut_stream_starts_over(place: Place) -> None:
    """Without ranges there is nothing to go on from: the second try is whole, and nothing of the first is in it."""
    cut = Served(place.source, ranges=False, cut=300_000)
    usual = Served(place.source, ranges=False)
    place.server.routes.insert(0, sometimes("/file", usual, lambda n: cut if n < 2 else None))
    place.check(place.fetch(place.server.url + "/file"))


def test_a_stream_that_always_breaks_leaves_nothing(place: Place) -> None:
    """It is given up after some tries, says so, and leaves no rest on the disk."""
    with pytest.raises(ServerError, match="keeps breaking"):
        place.fetch(place.serve(ranges=False, cut=300_000))
    assert place.left() == []


def test_one_connection_that_fails_leaves_the_work_to_the_others(place: Place) -> None:
    """A host that refuses what is one connection too many is served with fewer, and the file is whole."""
    busy, lock = [0], threading.Lock()

    def route(asked: Asked) -> Served | None:
        with lock:
            busy[0] += 1
            return refusal(403) if busy[0] % 3 == 0 and busy[0] < 30 else None

    url = place.serve(rate=4e6, step=PIECE)
    place.server.routes.insert(0, route)
    place.check(place.fetch(url))


def test_a_host_that_is_busy_for_a_moment_gets_all_connections_back(place: Place) -> None:
    """Each connection's first request is put off with 503: all of them come again, and none is lost for good."""
    slow = Served(place.source, rate=4e5, step=1 << 12)
    place.server.routes.insert(0, sometimes("/file", slow, lambda number: refusal(503) if 1 <= number <= 16 else None))
    place.check(place.fetch(place.server.url + "/file"))
    assert place.server.connections >= 16


def _written(place: Place) -> list[tuple[int, int]]:
    _, journal = part_paths(place.target)
    pairs = [line.split() for line in journal.read_text().splitlines()[1:]]
    return [(int(start), int(end)) for start, end in pairs]


def _boot() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""
