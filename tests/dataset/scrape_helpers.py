"""Shared by the tests of scrape: a board with five posts, an empty dataset, and the command."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from booru_server import BooruServer, serving

from kohya_wrap.dataset.history import DatasetPlace, place_of
from kohya_wrap.dataset.verbs.scrape import Scraped, scrape
from kohya_wrap.dataset.verbs.scrape_search import ScrapeOptions, look_up

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
    """Look up and scrape, without pauses."""
    made = ScrapeOptions("tiger score:>0", site, **options)  # type: ignore[arg-type]
    found = look_up(made, env=server.env(site), patience=0)
    return scrape(place, found, dry_run=dry_run)


def names(place: DatasetPlace) -> list[str]:
    """Name what is in the dataset."""
    return sorted(path.name for path in place.folder.iterdir())


def command(place: DatasetPlace, *words: str) -> list[str]:
    """Give the command's words."""
    wanted = ("dataset", "scrape", "p", "tiger score:>0", "--from", "danbooru", "--limit", "5")
    return [COMMAND, *wanted, "--root", str(place.folder.parents[2]), *words]


def spoken(server: BooruServer, place: DatasetPlace, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command."""
    env = {**os.environ, **server.env("danbooru")}
    return subprocess.run(command(place, *words), env=env, input=typed, capture_output=True, text=True, check=False)
