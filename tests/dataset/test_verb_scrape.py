"""scrape: pictures of a board in a dataset, each whole, each once, with a list of where they are from."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from booru_server import KEY, USER, BooruServer, Reply, picture, serving

from kohya_wrap.dataset.history import DatasetPlace, place_of, undo
from kohya_wrap.dataset.verbs.scrape import Scraped, scrape
from kohya_wrap.dataset.verbs.scrape_search import ScrapeOptions, look_up
from kohya_wrap.errors import DatasetError

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))


@pytest.fixture
def server() -> Iterator[BooruServer]:
    """A board with five posts."""
    with serving() as server:
        yield server


@pytest.fixture
def place(tmp_path: Path) -> DatasetPlace:
    """A project with an empty dataset."""
    (tmp_path / "Loras/p/dataset").mkdir(parents=True)
    return place_of("p", root=tmp_path)


def run(
    server: BooruServer, place: DatasetPlace, site: str = "gelbooru", *, dry_run: bool = False, **options: object
) -> Scraped:
    made = ScrapeOptions("tiger score:>0", site, **options)  # type: ignore[arg-type]
    found = look_up(made, env=server.env(site), patience=0)
    return scrape(place, found, dry_run=dry_run)


def names(place: DatasetPlace) -> list[str]:
    return sorted(path.name for path in place.folder.iterdir())


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


def command(place: DatasetPlace, *words: str) -> list[str]:
    root = place.folder.parents[2]
    return [
        COMMAND,
        "dataset",
        "scrape",
        "p",
        "tiger score:>0",
        "--from",
        "danbooru",
        "--limit",
        "5",
        "--root",
        str(root),
        *words,
    ]


def spoken(server: BooruServer, place: DatasetPlace, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **server.env("danbooru")}
    return subprocess.run(command(place, *words), env=env, input=typed, capture_output=True, text=True, check=False)


def test_it_asks_before_it_fetches(server: BooruServer, place: DatasetPlace) -> None:
    """The count comes first; "n" fetches nothing."""
    said = spoken(server, place, "--limit", "3", typed="n\n")
    assert "danbooru: 3 pictures" in said.stdout
    assert "Fetch 3 pictures" in said.stdout
    assert said.returncode == 1
    assert server.files() == []


def test_yes_is_not_asked(server: BooruServer, place: DatasetPlace) -> None:
    """For scripts; the last lines say what was done, and no key is among them."""
    said = spoken(server, place, "--yes", "--limit", "2")
    assert said.returncode == 0, said.stderr
    assert "2 pictures fetched" in said.stdout
    assert names(place) == ["danbooru_1.png", "danbooru_2.png"]
    assert KEY not in said.stdout + said.stderr
    assert USER not in said.stdout + said.stderr


def test_a_refusal_is_one_sentence(server: BooruServer, place: DatasetPlace) -> None:
    """With the exit code of a dataset's errors."""
    server.wrong = lambda asked, before: Reply(401, b"{}")
    said = spoken(server, place, "--yes")
    assert said.returncode == DatasetError.exit_code
    assert "DANBOORU_LOGIN" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_one_goes_on(server: BooruServer, place: DatasetPlace, signum: signal.Signals) -> None:
    """Stopped in the middle, what is there is whole; called again, only the rest is asked for."""
    held = threading.Event()

    def wait_at_the_third(asked: object, before: int) -> Reply | None:
        if getattr(asked, "path", "") == "/images/3.png" and not held.is_set():
            time.sleep(0.5)
            held.wait(20)
        return None

    server.wrong = wait_at_the_third
    env = {**os.environ, **server.env("danbooru")}
    child = subprocess.Popen(
        command(place, "--yes", "--limit", "3"), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 20
    while len(names(place)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.send_signal(signum)
    time.sleep(0.1)
    held.set()
    child.communicate(timeout=30)
    kept = names(place)
    assert all((place.folder / name).read_bytes() == picture(int(name[9:-4])) for name in kept)
    server.asked.clear()
    assert spoken(server, place, "--yes", "--limit", "3").returncode == 0
    assert not list(place.history.glob(".scrape-*"))
    assert names(place) == [f"danbooru_{number}.png" for number in range(1, 4)]
    assert not {f"/images/{name[9:]}" for name in kept} & set(server.files())
