"""scrape on a disk that is soon full: whole files only, and the next call goes on where there is room again."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from booru_server import BooruServer, Reply, serving
from PIL import Image
from scrape_helpers import names, run, spoken
from small_disk import make_room, small_disk

from kohya_wrap.dataset.history import DatasetPlace, place_of
from kohya_wrap.errors import DiskFullError

COUNT = 8
CAPTION = "1girl, long hair, ^_^, holding (object), don't look"


def noise() -> bytes:
    """Give a picture of 9 KiB, more than a page of memory, so that a full disk cuts it."""
    buffer = io.BytesIO()
    Image.effect_noise((64, 144), 90).save(buffer, "PNG")
    return buffer.getvalue()


PICTURES = {number: noise() for number in range(1, COUNT + 1)}


@pytest.fixture
def server() -> Iterator[BooruServer]:
    """A board with eight posts of larger pictures."""
    with serving(COUNT) as server:
        server.changes = {
            number: {"md5": hashlib.md5(content, usedforsecurity=False).hexdigest()}
            for number, content in PICTURES.items()
        }
        server.wrong = lambda asked, before: (
            Reply(body=PICTURES[int(Path(asked.path).stem)]) if asked.path.startswith("/images/") else None
        )
        yield server


def check_whole(place: DatasetPlace, *, captions: bool = True) -> None:
    """Check each file, of which a picture may not have come yet though its caption has."""
    for path in place.folder.iterdir():
        content = PICTURES[int(path.stem.rpartition("_")[2])] if path.suffix == ".png" else CAPTION.encode()
        assert path.read_bytes().strip() == content.strip(), path.name
        assert captions or path.suffix == ".png"
    assert not list(place.history.glob(".scrape-*"))


@pytest.mark.parametrize("kib", [8, 24, 52, 76, 100, 132])
def test_a_full_disk_leaves_whole_files_only(tmp_path: Path, server: BooruServer, kib: int) -> None:
    """Wherever it was full: at the list, at the step's record, or at a picture."""
    with small_disk(tmp_path / "root", kib=kib):
        (tmp_path / "root/Loras/p/dataset").mkdir(parents=True)
        place = place_of("p", root=tmp_path / "root")
        with pytest.raises(DiskFullError):
            run(server, place, captions=True)
        check_whole(place)
        there = [name for name in names(place) if name.endswith(".png")]
        make_room(tmp_path / "root")
        server.asked.clear()
        done = run(server, place, captions=True)
        assert (done.pictures, done.there, done.failed) == (COUNT - len(there), len(there), ())
        assert len(server.files()) == done.pictures
        check_whole(place)
        assert len(names(place)) == 2 * COUNT


@pytest.mark.parametrize("kib", [8, 40])
def test_a_full_disk_of_the_dataset_alone(tmp_path: Path, server: BooruServer, kib: int) -> None:
    """Where the history is on another one, from which files are copied."""
    with small_disk(tmp_path / "Loras/p/dataset", kib=kib):
        place = place_of("p", root=tmp_path)
        with pytest.raises(DiskFullError):
            run(server, place)
        check_whole(place, captions=False)
        make_room(place.folder)
        assert run(server, place).failed == ()
        assert len(names(place)) == COUNT


def test_the_exit_code_of_a_full_disk(tmp_path: Path, server: BooruServer) -> None:
    """27, in a sentence; no half picture."""
    with small_disk(tmp_path / "root", kib=36):
        (tmp_path / "root/Loras/p/dataset").mkdir(parents=True)
        place = place_of("p", root=tmp_path / "root")
        said = spoken(server, place, "--yes", "--limit", "3")
        assert said.returncode == 27, said.stderr
        assert "the disk is full" in said.stderr
        assert "Traceback" not in said.stderr
        check_whole(place, captions=False)
