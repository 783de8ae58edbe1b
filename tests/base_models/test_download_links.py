"""The address of a download: redirects, the token, signed links that end, another file behind the same link."""

import pytest
from download_place import Place, content_of, refusal, sometimes
from fake_server import Asked, Served

from kohya_wrap.base_models.errors import AccessDeniedError, ServerError
from kohya_wrap.errors import BaseModelError

TOKEN = {"Authorization": "Bearer key-0123456789"}


def test_a_redirect_is_followed_once_and_the_token_stays_at_home(place: Place) -> None:
    """The second host, which differs by its port only, gets all the ranges and never the Authorization."""
    there = place.storage.serve("/signed", Served(place.source, rate=4e5, step=1 << 12))
    url = place.server.serve("/file", Served(location=there))
    place.check(place.fetch(url, headers=TOKEN))
    assert [asked.headers["authorization"] for asked in place.server.all_asked()] == [TOKEN["Authorization"]]
    assert len(place.storage.all_asked()) > 4
    assert not any("authorization" in asked.headers for asked in place.storage.all_asked())


def test_a_redirect_on_the_same_host_keeps_the_token(place: Place) -> None:
    """Within one origin it is needed at the end as at the start."""
    url = place.server.serve("/moved", Served(location=place.serve()))
    place.check(place.fetch(url, headers=TOKEN))
    assert all("authorization" in asked.headers for asked in place.server.all_asked())


def test_the_token_does_not_come_back_from_abroad(place: Place) -> None:
    """A redirect that leads home again by way of another host is home: what counts is who is asked."""
    home = place.serve()
    url = place.server.serve("/start", Served(location=place.storage.serve("/hop", Served(location=home))))
    place.check(place.fetch(url, headers=TOKEN))
    assert not any("authorization" in asked.headers for asked in place.storage.all_asked())


def test_netrc_is_not_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """requests would send what a .netrc has for this host, to storage too."""
    (place.folder / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(place.folder / ".netrc"))
    place.fetch(place.serve())
    assert not any("authorization" in asked.headers for asked in place.server.all_asked())


@pytest.mark.parametrize("status", [400, 401, 403, 410])
def test_an_expired_link_is_renewed_once_for_all_connections(status: int, place: Place) -> None:
    """Storage refuses the old signature in the middle; one fresh link is asked for, and what was there is kept."""

    def ending(asked: Asked) -> Served | None:
        old_ones = [one for one in place.storage.asked if one.query.get("signature") == "1"]
        return refusal(status) if asked.query.get("signature") == "1" and len(old_ones) > 9 else None

    place.storage.serve("/signed", Served(place.source, rate=4e5, step=1 << 12))
    place.storage.routes.insert(0, ending)
    fresh: list[str] = []

    def refresh() -> str:
        fresh.append(f"{place.storage.url}/signed?signature={len(fresh) + 2}")
        return fresh[-1]

    place.check(place.fetch(f"{place.storage.url}/signed?signature=1", refresh=refresh))
    assert len(fresh) == 1
    good = [asked for asked in place.storage.all_asked() if asked.status == 206]
    assert sum(asked.sent for asked in good) < len(place.content) * 1.2


def test_an_expired_redirect_is_followed_again(place: Place) -> None:
    """A plain link that leads to a signed one is asked again when the signed one has ended."""
    leads = iter(range(1, 99))
    place.server.routes.insert(0, lambda _: Served(location=f"{place.storage.url}/signed?signature={next(leads)}"))
    place.storage.serve("/signed", Served(place.source, rate=4e5, step=1 << 12))
    place.storage.routes.insert(
        0,
        lambda asked: refusal(403) if asked.query.get("signature") == "1" and len(place.storage.asked) > 5 else None,
    )
    place.check(place.fetch(f"{place.server.url}/file"))
    assert len(place.server.all_asked()) == 2


def test_a_refusal_from_the_start_is_not_asked_for_ever(place: Place) -> None:
    """Fresh links that are refused too are given up after two."""
    place.storage.serve("/signed", refusal(403))
    fresh = iter(range(2, 99))
    with pytest.raises(AccessDeniedError):
        place.fetch(f"{place.storage.url}/signed?n=1", refresh=lambda: f"{place.storage.url}/signed?n={next(fresh)}")
    assert len(place.storage.all_asked()) == 3


def test_a_link_that_cannot_be_renewed_is_asked_once(place: Place) -> None:
    """A refresh that gives the same address again is no fresh link."""
    url = place.server.serve("/file", refusal(403))
    with pytest.raises(AccessDeniedError):
        place.fetch(url, refresh=lambda: url)
    assert len(place.server.all_asked()) == 1


def test_links_that_go_round_in_circles(place: Place) -> None:
    """They are given up."""
    with pytest.raises(ServerError, match="circles"):
        place.fetch(place.server.serve("/file", Served(location=f"{place.server.url}/file")))


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/file"])
def test_a_redirect_to_another_scheme_is_not_followed(target: str, place: Place) -> None:
    """Only https leads anywhere, and http from this machine's own."""
    with pytest.raises(BaseModelError, match="not safe"):
        place.fetch(place.server.serve("/file", Served(location=target)))


def test_another_file_behind_the_same_link_starts_over(place: Place) -> None:
    """The host puts a new file there half-way: If-Range tells, nothing of the old one is in the result."""
    old = place.folder / "old"
    old.write_bytes(content_of(len(place.content), seed=2))
    was, now = Served(old, etag='"old"', rate=4e5, step=1 << 12), Served(place.source, etag='"new"')
    place.server.routes.insert(0, sometimes("/file", now, lambda number: was if number < 6 else None))
    place.check(place.fetch(f"{place.server.url}/file"))
    said = [one.headers.get("if-range") for one in place.server.all_asked()]
    assert {'"old"', '"new"'} <= set(said)


def test_another_file_between_two_calls_starts_over(place: Place) -> None:
    """What a killed process left of the old file is dropped when the host has a new one of the same size."""
    old = place.folder / "old"
    old.write_bytes(content_of(len(place.content), seed=2))
    slow = Served(old, etag='"old"', rate=4e5, step=1 << 12)
    place.server.routes.insert(0, sometimes("/file", slow, lambda number: refusal(404) if number > 9 else None))
    with pytest.raises(BaseModelError):
        place.fetch(f"{place.server.url}/file")
    assert place.left() == ["model.safetensors.part", "model.safetensors.part.done"]
    place.check(place.fetch(place.serve(etag='"new"')))


def test_a_host_whose_answers_never_agree_is_read_in_one_stream(place: Place) -> None:
    """Some farms of servers give each answer another ETag: the last start needs no two answers to agree."""
    tags = iter(range(10_000))

    def route(_: Asked) -> Served:
        tag = f'"{next(tags)}"'
        return Served(place.source, etag=tag)

    place.server.routes.insert(0, route)
    place.check(place.fetch(f"{place.server.url}/file"))


def test_a_date_stands_in_for_a_weak_etag(place: Place) -> None:
    """If-Range takes strong validators only."""
    date = "Mon, 02 Nov 2026 10:00:00 GMT"
    place.fetch(place.serve(etag='W/"v1"', headers={"Last-Modified": date}))
    said = [asked.headers.get("if-range") for asked in place.server.all_asked()]
    assert said.count(None) == 1
    assert said.count(date) == len(said) - 1 > 0
