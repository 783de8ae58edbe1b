"""scrape: pictures of a board in a dataset, each whole, each once, with a list of where they are from."""

import json

import pytest
from booru_server import BooruServer, picture
from scrape_helpers import names, place, run, server

from kohya_wrap.dataset.history import DatasetPlace, undo
from kohya_wrap.errors import DatasetError

__all__ = ["place", "server"]


@pytest.mark.parametrize("site", ["gelbooru", "danbooru", "e621"])
def test_pictures_arrive_bit_by_bit(server: BooruServer, place: DatasetPlace, site: str) -> None:
    """Every picture of the search, under a name that tells where it is from."""
    done = run(server, place, site)
    assert names(place) == [f"{site}_{number}.png" for number in range(1, 6)]
    assert (place.folder / f"{site}_3.png").read_bytes() == picture(3)
    assert (done.pictures, done.there, done.failed) == (5, 0, ())


def test_the_list_names_each_picture(server: BooruServer, place: DatasetPlace) -> None:
    """Source, id, rating, hash and tags, one JSON object a line."""
    lines = [json.loads(line) for line in run(server, place).list.read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == [1, 2, 3, 4, 5]
    first = lines[0]
    assert (first["file"], first["rating"], first["source"]) == (
        "gelbooru_1.png",
        "general",
        "https://example.org/1?a=1&b=2",
    )
    assert first["md5"] == server.post(1)["md5"]
    assert "long_hair" in first["tags"]["general"]


@pytest.mark.parametrize(
    ("site", "caption"),
    [
        ("gelbooru", "1girl, long hair, ^_^, holding (object), don't look"),
        ("danbooru", "tiger (zodiac), 1girl, long hair, ^_^, holding (object), don't look"),
        ("e621", "tiger, striped fur"),
    ],
)
def test_captions_are_the_site_s_tags(server: BooruServer, place: DatasetPlace, site: str, caption: str) -> None:
    """Written as the tagger writes them: emoticons keep their underscores; neither artist nor notes on the file."""
    run(server, place, site, captions=True)
    assert (place.folder / f"{site}_1.txt").read_text(encoding="utf-8").strip() == caption


def test_a_second_call_fetches_what_is_missing(server: BooruServer, place: DatasetPlace) -> None:
    """What is there is not asked for again, not even where it came as a sample."""
    run(server, place)
    (place.folder / "gelbooru_2.png").unlink()
    server.changes = {4: {"width": 9000, "height": 9000, "sample_url": f"{server.url}/images/sample_4.jpg"}}
    server.asked.clear()
    done = run(server, place)
    assert (done.pictures, done.there) == (1, 4)
    assert server.files() == ["/images/2.png"]


def test_a_smaller_search_keeps_the_list(server: BooruServer, place: DatasetPlace) -> None:
    """What was fetched before stays listed as it was fetched; tags may hold any sign that is no end of a line."""
    server.changes = {5: {"tags": "a\u2028b c\x85d"}}
    before = run(server, place).list.read_text(encoding="utf-8")
    server.changes |= {1: {"width": 9000, "height": 9000}}
    done = run(server, place, limit=2)
    assert (done.there, done.list.read_text(encoding="utf-8")) == (2, before)


def test_a_list_that_was_written_into(server: BooruServer, place: DatasetPlace) -> None:
    """It is named, and left as it is."""
    listed = run(server, place).list
    listed.write_text("my notes\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="no list of pictures"):
        run(server, place)
    assert listed.read_text(encoding="utf-8") == "my notes\n"


def test_captions_can_be_had_later(server: BooruServer, place: DatasetPlace) -> None:
    """Pictures that are there get one where they have none; nothing is fetched for it, and one's own stays."""
    run(server, place)
    (place.folder / "gelbooru_1.txt").write_text("mine", encoding="utf-8")
    server.asked.clear()
    run(server, place, captions=True)
    assert server.files() == []
    assert (place.folder / "gelbooru_1.txt").read_text(encoding="utf-8") == "mine"
    assert (place.folder / "gelbooru_2.txt").read_text(encoding="utf-8").startswith("1girl, long hair")


def test_undo_gives_it_back(server: BooruServer, place: DatasetPlace) -> None:
    """Pictures and captions go, and a picture of one's own stays."""
    (place.folder / "mine.png").write_bytes(picture(99))
    run(server, place, captions=True)
    assert len(names(place)) == 11
    undo(place)
    assert names(place) == ["mine.png"]


def test_a_dry_run_fetches_nothing(server: BooruServer, place: DatasetPlace) -> None:
    """It says how many there would be."""
    assert run(server, place, dry_run=True).pictures == 5
    assert names(place) == []
    assert server.files() == []
