"""kohya-wrap dataset add, as a process, with a file server on this machine."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from kohya_wrap.files import sha256_file

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server with one picture and one page."""
    folder = tmp_path / "served"
    folder.mkdir()
    Image.new("RGB", (80, 80), "red").save(folder / "a.png")
    (folder / "page.png").write_text("<!doctype html><title>log in</title>")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as served:
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{served.server_address[1]}"
        served.shutdown()
        thread.join()


def add(root: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    argv = (COMMAND, "dataset", "add", "p", *words, "--root", str(root))
    environment = {**os.environ, "KOHYA_WRAP_HOME": str(root / "cache")}
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, timeout=120)


def test_a_picture_by_its_address(tmp_path: Path, server: str) -> None:
    """Fetched, verified, added."""
    digest = sha256_file(tmp_path / "served/a.png")
    done = add(tmp_path, f"{server}/a.png#sha256={digest}")
    assert done.returncode == 0, done.stderr
    assert f"1 picture with 0 captions for {tmp_path / 'Loras/p/dataset'}\n1 new file (step 1; " in done.stdout
    assert sha256_file(tmp_path / "Loras/p/dataset/a.png") == digest


def test_another_file_than_was_asked_for(tmp_path: Path, server: str) -> None:
    """Exit code 52, and nothing in the dataset."""
    done = add(tmp_path, f"{server}/a.png", "--sha256", "0" * 64)
    assert done.returncode == 52
    assert not (tmp_path / "Loras/p/dataset/a.png").exists()


@pytest.mark.parametrize(("name", "code"), [("page.png", 53), ("none.png", 45)])
def test_a_page_and_nothing(tmp_path: Path, server: str, name: str, code: int) -> None:
    """A login page under a picture's name, and an address that leads nowhere."""
    done = add(tmp_path, f"{server}/{name}")
    assert done.returncode == code, done.stderr
    assert not (tmp_path / "Loras/p/dataset").exists() or not list((tmp_path / "Loras/p/dataset").iterdir())
