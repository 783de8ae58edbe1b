"""Picture boards: what is asked of them, what their answers mean, and what is said when they misbehave."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from booru_server import KEY, USER, BooruServer, Reply, as_json, serving

from kohya_wrap.dataset.boorus import BOORUS
from kohya_wrap.dataset.boorus.client import Client
from kohya_wrap.dataset.verbs.scrape_search import Found, ScrapeOptions, look_up
from kohya_wrap.errors import DatasetError

SITES = list(BOORUS)


@pytest.fixture
def server() -> Iterator[BooruServer]:
    """A board with five posts."""
    with serving() as server:
        yield server


def find(server: BooruServer, site: str = "gelbooru", *, keys: bool = True, **options: object) -> Found:
    made = ScrapeOptions("tiger -blurry", site, **options)  # type: ignore[arg-type]
    return look_up(made, env=server.env(site, keys=keys), patience=0)


def refusal(server: BooruServer, site: str = "gelbooru", *, keys: bool = True) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        find(server, site, keys=keys)
    assert KEY not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("site", SITES)
def test_all_three_give_the_same_pictures(server: BooruServer, site: str) -> None:
    """Ids, addresses and hashes come out of each service's own shape."""
    found = find(server, site)
    assert [choice.post.id for choice in found.choices] == [1, 2, 3, 4, 5]
    assert found.choices[0].name == f"{site}_1.png"
    assert found.choices[0].post.md5 == server.post(1)["md5"]
    assert found.choices[0].url == server.post(1)["file_url"]
    assert server.asked[0].query["tags"] == "tiger -blurry"


def test_gelbooru_gets_its_key_in_the_query(server: BooruServer) -> None:
    """There is no other way; user and key go there, and nowhere else."""
    find(server)
    assert (server.asked[0].query["api_key"], server.asked[0].query["user_id"]) == (KEY, USER)
    assert server.asked[0].basic == ""


@pytest.mark.parametrize("site", ["danbooru", "e621"])
def test_the_others_get_theirs_as_http_basic(server: BooruServer, site: str) -> None:
    """No address that could be logged holds a key."""
    find(server, site)
    assert server.asked[0].basic == f"{USER}:{KEY}"
    assert "api_key" not in server.asked[0].query


@pytest.mark.parametrize("site", ["danbooru", "e621"])
def test_the_others_answer_without_a_key(server: BooruServer, site: str) -> None:
    """Nothing is sent then, not even a user's name."""
    assert len(find(server, site, keys=False).choices) == 5
    assert server.asked[0].basic == ""


def test_gelbooru_without_a_key_is_not_asked(server: BooruServer) -> None:
    """It refuses since 2025, so the variables are named at once."""
    error = refusal(server, keys=False)
    assert "GELBOORU_API_KEY" in str(error)
    assert server.asked == []


@pytest.mark.parametrize("site", SITES)
def test_nobody_pretends_to_be_a_browser(server: BooruServer, site: str) -> None:
    """The program names itself; e621 is told who uses it, as it wants."""
    find(server, site)
    agents = {asked.agent for asked in server.asked}
    assert all(agent.startswith("kohya-wrap/") for agent in agents)
    assert all((f"by {USER} on e621" in agent) == (site == "e621") for agent in agents)


def test_pages_are_read_until_the_limit() -> None:
    """250 posts lie on three pages of Gelbooru; 120 on two."""
    with serving(250) as server:
        assert len(find(server, limit=120).choices) == 120
        assert [asked.query["pid"] for asked in server.asked] == ["0", "1"]
        server.asked.clear()
        found = find(server)
        assert (len(found.choices), found.total, len(server.asked)) == (250, 250, 3)


@pytest.mark.parametrize("site", SITES)
def test_posts_without_a_picture_are_counted(server: BooruServer, site: str) -> None:
    """Hidden ones have no address, and a video is no picture."""
    server.changes = {2: {"file_url": ""}, 3: {"file_url": f"{server.url}/images/3.mp4"}}
    found = find(server, site)
    assert [choice.post.id for choice in found.choices] == [1, 4, 5]
    assert (found.no_file, found.no_picture) == (1, 1)


@pytest.mark.parametrize("site", SITES)
def test_posts_with_a_parent_can_be_left_out(server: BooruServer, site: str) -> None:
    """They are often variations of one picture."""
    server.changes = {2: {"parent_id": 1}}
    assert len(find(server, site).choices) == 5
    found = find(server, site, include_posts_with_parent=False)
    assert (len(found.choices), found.with_parent) == (4, 1)


@pytest.mark.parametrize("site", SITES)
def test_a_huge_picture_comes_as_its_sample(server: BooruServer, site: str) -> None:
    """But not where there is no sample, or the sample is a video's."""
    huge: dict[str, object] = {"width": 4000, "height": 3000}
    server.changes = {1: huge, 2: huge | {"sample_url": ""}, 3: huge | {"sample_url": "http://x/3.webm"}}
    found = find(server, site)
    assert [choice.is_sample for choice in found.choices] == [True, False, False, False, False]
    assert "sample_1" in found.choices[0].url


def test_numbers_may_come_as_text(server: BooruServer) -> None:
    """Gelbooru does that at times; and HTML's signs stand for themselves again."""
    server.changes = {1: {"id": "1", "width": "4000", "height": "3000", "score": "-3"}}
    post = find(server).choices[0].post
    assert (post.id, post.width, post.score) == (1, 4000, -3)
    assert "don't_look" in post.tags["general"]
    assert post.source == "https://example.org/1?a=1&b=2"


@pytest.mark.parametrize(
    ("site", "answer"),
    [
        ("gelbooru", {"@attributes": {"count": 0}}),
        ("gelbooru", {"@attributes": {"count": 0}, "post": []}),
        ("danbooru", []),
        ("e621", {"posts": []}),
    ],
)
def test_nothing_found_is_an_answer(server: BooruServer, site: str, answer: object) -> None:
    """An empty list, or none at all."""
    server.wrong = lambda asked, before: as_json(answer)
    assert find(server, site).choices == ()


def test_a_single_hit_may_be_no_list(server: BooruServer) -> None:
    """Gelbooru sends the one post as it is."""
    answer = {"@attributes": {"count": 1}, "post": server.post(4)}
    server.wrong = lambda asked, before: as_json(answer)
    assert [choice.post.id for choice in find(server).choices] == [4]


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(401, b'{"success": false, "reason": "Missing authentication"}'), "Missing authentication"),
        (Reply(403, b"<html>no</html>"), "refuses with 403"),
        (Reply(422, b'{"message": "You cannot search for more than 2 tags at a time"}'), "more than 2 tags"),
        (Reply(429, b"", {"Retry-After": "900"}), "try again in 900 seconds"),
        (Reply(429, b'{"message": "Throttled"}'), "Throttled"),
        (Reply(404), "answers 404"),
        (Reply(302, b"", {"Location": "http://127.0.0.1:9/login"}), "answers 302"),
        (Reply(503), "answers 503"),
        (Reply(200, b"<!DOCTYPE html><html>Are you a robot?</html>"), "web page"),
        (Reply(200, b""), "something else than posts"),
        (Reply(200, b'"Too deep! Pull it back some."'), "something else than posts"),
        (Reply(200, b'{"success": false, "message": "search error"}'), "search error"),
        (Reply(200, b"[" * 100_000), "something else than posts"),
        (Reply(200, b'[{"id":', {}, 5000), "breaks the connection"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else None,
)
def test_what_goes_wrong_is_said(server: BooruServer, site: str, reply: Reply, said: str) -> None:
    """Each bad answer has its sentence; where there are words of the service, they are in it."""
    server.wrong = lambda asked, before: reply
    assert said in str(refusal(server, site))


def test_a_key_that_is_sent_back_is_not_shown(server: BooruServer) -> None:
    """A service may quote the request in its message."""
    server.wrong = lambda asked, before: Reply(403, f'{{"message": "bad key {KEY} of {USER}"}}'.encode())
    assert "bad key [hidden] of [hidden]" in str(refusal(server))


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_service_is_asked_again(server: BooruServer, status: int) -> None:
    """Twice, with pauses in between; the third answer counts."""
    server.wrong = lambda asked, before: Reply(status) if before < 2 else None
    assert len(find(server).choices) == 5
    assert len(server.asked) == 3


@pytest.mark.parametrize("headers", [{"Retry-After": "\u00b2"}, {"Retry-After": "9" * 5000}, {"Retry-After": "soon"}])
def test_a_pause_that_is_no_number(server: BooruServer, headers: dict[str, str]) -> None:
    """It counts as none; a superscript two is a digit to Python."""
    server.wrong = lambda asked, before: Reply(429, b"", headers)
    assert "in some minutes" in str(refusal(server))


def test_nobody_listens() -> None:
    """The port is free: the service's name and what to do, but no address with a key."""
    with serving() as server:
        env = server.env("gelbooru")
    with pytest.raises(DatasetError, match="cannot be reached") as caught:
        look_up(ScrapeOptions("tiger"), env=env, patience=0)
    assert KEY not in str(caught.value)


def test_requests_keep_their_distance() -> None:
    """A tenth of patience: three pages of Gelbooru are a tenth of a second apart."""
    with serving(250) as server:
        look_up(ScrapeOptions("tiger"), env=server.env("gelbooru"), patience=0.1)
        times = [asked.when for asked in server.asked]
    assert all(later - sooner > 0.09 for sooner, later in pairwise(times))


def test_retry_after_is_waited_for(server: BooruServer) -> None:
    """Three seconds are asked for, at a tenth of patience."""
    server.wrong = lambda asked, before: Reply(429, b"", {"Retry-After": "3"}) if before == 0 else None
    look_up(ScrapeOptions("tiger"), env=server.env("gelbooru"), patience=0.1)
    first, second = (asked.when for asked in server.asked)
    assert 0.29 < second - first < 2


@pytest.mark.parametrize(("options", "said"), [({"limit": 1001}, "1001"), ({"limit": 0}, "0"), ({"site": "x"}, "x")])
def test_what_cannot_be_asked(server: BooruServer, options: dict[str, object], said: str) -> None:
    """A limit above the notebook's, or a service that is not known, is refused before anything is sent."""
    with pytest.raises(DatasetError, match=said):
        look_up(ScrapeOptions("tiger", **options), env=server.env("gelbooru"), patience=0)  # type: ignore[arg-type]
    assert server.asked == []


def test_only_requests_know_the_key(server: BooruServer) -> None:
    """Neither keys nor requests show it when they are printed."""
    found = find(server)
    assert KEY not in repr(found)


@pytest.mark.parametrize(
    ("url", "said"), [("https://[x/1.png", "no http address"), ("/images/1.png", "cannot be reached")]
)
def test_a_picture_whose_address_is_none(server: BooruServer, tmp_path: Path, url: str, said: str) -> None:
    """Whether the board names it, or sends on to it."""
    server.wrong = lambda asked, before: Reply(302, b"", {"Location": "https://[x/1.png"})
    client = Client.from_environment(BOORUS["gelbooru"], server.env("gelbooru"), patience=0)
    with pytest.raises(DatasetError, match=said):
        client.file(url, tmp_path / "1.png", "")
