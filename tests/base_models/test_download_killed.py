"""Killed with SIGKILL at random points and started again, fifty times.

What is allowed, exactly. Each start may ask for what the journal of the killed one does not have, and for each byte of
that once. The journal lacks what the killed process had received and not yet noted: at most one chunk of 256 KiB on
each connection; here the host sends 4 KiB at a time, and its kernel holds a few more, so the bytes that were sent in
vain are held against AIR for each connection and each kill. That is measured at the host, not at the journal.
"""

import multiprocessing
import random
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from download_place import PIECE, Place, content_of
from fake_server import FileServer, Served

from kohya_wrap.base_models.download import pieces
from kohya_wrap.base_models.download.part import part_paths
from kohya_wrap.base_models.downloader import CONNECTIONS, Downloaded, DownloadRequest, download

KILLS = 50
SIZE = 6_000_000
STEP = 4096
AIR = 4 * STEP
"""Bytes that may be on their way on one connection: the host's step, its kernel's buffer, and the client's."""
Span = tuple[int, int]


def fetch(url: str, target: str, sha256: str) -> None:
    """Download in a process of its own, in pieces that are small enough for a test."""
    pieces.SMALLEST = PIECE
    download(DownloadRequest(url, sha256=sha256), Path(target))


def noted(target: Path) -> list[Span]:
    """Read what the journal has."""
    _, journal = part_paths(target)
    lines = journal.read_text().splitlines()[1:] if journal.exists() else []
    return sorted((int(start), int(end)) for start, _, end in (line.partition(" ") for line in lines))


def overlap(first: list[Span], second: list[Span]) -> int:
    """Count the bytes that are in a span of both."""
    return sum(max(0, min(a[1], b[1]) - max(a[0], b[0])) for a in first for b in second)


def own_overlap(spans: list[Span]) -> int:
    """Count the bytes that are in more than one of these spans."""
    return sum(overlap([span], spans[index + 1 :]) for index, span in enumerate(spans))


def merged(spans: list[Span]) -> list[Span]:
    """Join neighbours."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def start(context: multiprocessing.context.ForkServerContext, place: Place, url: str) -> BaseProcess:
    child = context.Process(target=fetch, args=(url, str(place.target), place.sha256))
    child.start()
    return child


def wait(server: FileServer, chance: random.Random, *, in_the_beginning: bool) -> None:
    """Wait for a random number of bytes, few enough that fifty times that is not the file; or for a moment only."""
    if in_the_beginning:
        time.sleep(chance.uniform(0.0, 0.1))
        return
    enough = server.sent_by_now + chance.randrange(SIZE // (KILLS + 10))
    while server.sent_by_now < enough:
        time.sleep(0.001)


def test_killed_fifty_times(tmp_path: Path) -> None:
    """The file is whole and right, and nothing is asked for twice that the killed process had noted."""
    chance = random.Random(1)  # noqa: S311 - to be the same each time
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["kohya_wrap.base_models.downloader", "requests", __name__])
    with FileServer(buffer=STEP).running() as server, FileServer().running() as storage:
        place = Place(tmp_path, server, storage, content_of(SIZE))
        place.target.parent.mkdir()
        url = server.serve("/file", Served(place.source, rate=1.6e5, step=STEP))
        for kill in range(KILLS):
            before = merged(noted(place.target))
            child = start(context, place, f"{url}?start={kill}")
            wait(server, chance, in_the_beginning=kill % 5 == 0)
            child.kill()
            child.join()
            asked = [one.span for one in server.all_asked() if one.span and one.query["start"] == str(kill)]
            assert overlap(asked, before) == 0
            assert own_overlap(asked) == 0
        assert not place.target.exists()
        last = start(context, place, f"{url}?start=last")
        last.join()
        assert last.exitcode == 0
        place.check(Downloaded(place.sha256, SIZE))
        assert server.sent - SIZE <= KILLS * CONNECTIONS * AIR
