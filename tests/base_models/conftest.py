"""What several tests of base models share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_server import ApiServer
from download_place import PIECE, Place
from fake_server import FileServer
from world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Empty hosts, and an environment that leads to them and to nothing else."""
    for name in ("CIVITAI_API_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    with ApiServer().running() as site, ApiServer().running() as storage, ApiServer().running() as hub:
        monkeypatch.setenv("KOHYA_WRAP_CIVITAI_URL", site.url)
        monkeypatch.setenv("KOHYA_WRAP_CIVITAI_RED_URL", site.url)
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        yield World(site, storage, hub, tmp_path)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A file of a megabyte on a local host, which is large where the smallest piece has 16 KiB."""
    monkeypatch.setattr("kohya_wrap.base_models.download.pieces.SMALLEST", PIECE)
    monkeypatch.setattr("kohya_wrap.base_models.downloader._FIRST", PIECE)
    with FileServer().running() as server, FileServer().running() as storage:
        yield Place(tmp_path, server, storage)
