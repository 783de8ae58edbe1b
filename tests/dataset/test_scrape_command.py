"""kohya-wrap dataset scrape, as a process: what it asks and says, and how it goes on after a stop."""

import os
import signal
import subprocess
import threading
import time

import pytest
from booru_server import KEY, USER, BooruServer, Reply, picture
from scrape_helpers import command, names, place, server, spoken

from kohya_wrap.dataset.history import DatasetPlace
from kohya_wrap.errors import DatasetError

__all__ = ["place", "server"]


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
