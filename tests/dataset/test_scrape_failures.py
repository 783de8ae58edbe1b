"""scrape, where a board or its pictures are not what they should be: nothing half or foreign stays, no key gets out."""

import os

import pytest
from booru_server import KEY, BooruServer, Reply, picture, serving
from scrape_helpers import names, place, run, server

from kohya_wrap.dataset.history import DatasetPlace
from kohya_wrap.errors import DatasetError

__all__ = ["place", "server"]


def test_a_service_that_only_fails_is_left_alone(place: DatasetPlace) -> None:
    """After ten in a row; what came before stays, and a later call goes on."""
    with serving(60) as server:
        allowed = {"/index.php", *(f"/images/{number}.png" for number in range(1, 13))}
        server.wrong = lambda asked, before: None if asked.path in allowed else Reply(403)
        with pytest.raises(DatasetError, match="10 pictures in a row"):
            run(server, place)
        assert len(names(place)) == 12
        assert len(server.files()) <= 12 + 10 + 4 * (os.cpu_count() or 2)
        server.wrong = lambda asked, before: None
        assert run(server, place).failed == ()
        assert len(names(place)) == 60


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(404), "answers 404"),
        (Reply(200, b"<html>log in</html>"), "arrived damaged"),
        (Reply(200, picture(3)), "arrived damaged"),
        (Reply(200, picture(2)[:50], {}, len(picture(2))), "breaks the connection"),
    ],
    ids=["gone", "page", "another", "cut"],
)
def test_one_that_fails_does_not_keep_the_others(
    server: BooruServer, place: DatasetPlace, reply: Reply, said: str
) -> None:
    """It is named, and its file never appears."""
    server.wrong = lambda asked, before: reply if asked.path == "/images/2.png" else None
    done = run(server, place, captions=True)
    assert (done.pictures, len(done.failed)) == (4, 1)
    assert said in done.failed[0].what
    assert not list(place.folder.glob("gelbooru_2.*"))


def test_what_is_no_picture_stays_out(server: BooruServer, place: DatasetPlace) -> None:
    """Also where its hash is right, or none is told."""
    server.changes = {2: {"md5": ""}}
    server.wrong = lambda asked, before: Reply(200, b"not a picture") if asked.path == "/images/2.png" else None
    done = run(server, place)
    assert done.pictures == 4
    assert "is no picture" in done.failed[0].what


def test_a_sample_has_no_hash_and_must_be_whole(server: BooruServer, place: DatasetPlace) -> None:
    """Half of one is no picture, though its first bytes are fine and the length is as announced."""
    server.changes = {2: {"width": 9000, "height": 9000}}
    half = Reply(200, picture(2)[:100])
    server.wrong = lambda asked, before: half if asked.path == "/images/sample_2.png" else None
    done = run(server, place)
    assert "is no picture" in done.failed[0].what
    assert "gelbooru_2.png" not in names(place)


def test_an_address_that_is_no_web_address(server: BooruServer, place: DatasetPlace) -> None:
    """A service cannot make this program read a file."""
    server.changes = {2: {"file_url": "file:///etc/passwd.png"}}
    assert "no http address" in run(server, place).failed[0].what


def test_the_key_does_not_go_to_the_pictures(server: BooruServer, place: DatasetPlace) -> None:
    """They may lie on another host."""
    run(server, place, "danbooru")
    pictures = [asked for asked in server.asked if asked.path.startswith("/images/")]
    assert len(pictures) == 5
    assert all(asked.basic == "" and KEY not in str(asked.query) for asked in pictures)


def test_no_key_in_anything_that_is_written(server: BooruServer, place: DatasetPlace) -> None:
    """History, list and captions are read in full."""
    run(server, place, captions=True)
    project = place.folder.parent
    written = [path.read_bytes() for path in project.rglob("*") if path.is_file()]
    assert len(written) > 10
    assert all(KEY.encode() not in content for content in written)
