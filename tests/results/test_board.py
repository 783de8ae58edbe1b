"""TensorBoard answers whoever has its address, and nobody else; the address is in no process list."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests
from run_records import make_record

from kohya_wrap.record.model import LaunchEntry, write_record

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/([\w-]+)/")


@dataclass(frozen=True)
class Board:
    """A running `kohya-wrap runs tensorboard`."""

    process: psutil.Process
    host: str
    token: str

    def status(self, path: str) -> int:
        """Ask for a path, exactly as it is written."""
        session = requests.Session()
        session.trust_env = False
        asked = session.prepare_request(requests.Request("GET", self.host))
        asked.url = self.host + path
        return session.send(asked, timeout=20).status_code


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Show a project that logged nothing yet."""
    root = tmp_path_factory.mktemp("root")
    folder, logs = root / "Loras/tiger/runs/20260101-000000-aaaa", root / "Loras/_logs/tiger/20260101-000000-aaaa"
    for each in (folder, logs):
        each.mkdir(parents=True)
    launch = LaunchEntry(training_config=f'[training_arguments]\nlogging_dir = "{logs}"\n')
    write_record(make_record(folder=str(folder), launch=launch), folder / "run.json")
    argv = (COMMAND, "runs", "tensorboard", "tiger", "--port", "0")
    process = subprocess.Popen(argv, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    found = next((match for line in process.stdout if (match := _ADDRESS.search(line))), None)
    assert found is not None
    yield Board(psutil.Process(process.pid), f"http://127.0.0.1:{found[1]}", found[2])
    for child in psutil.Process(process.pid).children(recursive=True):
        os.kill(child.pid, signal.SIGINT)
    process.communicate(timeout=20)


@pytest.mark.parametrize("path", ["/", "/data/environment", "/data/plugin/scalars/tags"])
def test_below_the_token_everything_is_there(board: Board, path: str) -> None:
    """The page and the data that it asks for."""
    assert board.status(f"/{board.token}{path}") == 200


@pytest.mark.parametrize(
    "path",
    ["/", "/data/environment", "/data/plugins_listing", "/index.js", "/x/", "/x/../TOKEN/", "/TOKEN../x", "/token/"],
)
def test_without_the_token_nothing_is_there(board: Board, path: str) -> None:
    """Neither page nor data nor script, and no way around."""
    asked = path.replace("TOKEN", board.token[:-1] + "_").replace("token", board.token.swapcase())
    assert board.status(asked) == 404


def test_one_port_is_open_and_only_to_this_machine(board: Board) -> None:
    """TensorBoard's second server, which would know no path, is not started."""
    family = (board.process, *board.process.children(recursive=True))
    listening = [each.laddr for one in family for each in one.net_connections() if each.status == psutil.CONN_LISTEN]
    assert [address.ip for address in listening] == ["127.0.0.1"]


def test_the_process_list_does_not_tell_the_token(board: Board) -> None:
    """A command line can be read by every user of the machine."""
    family = (board.process, *board.process.children(recursive=True))
    assert not any(board.token in word for one in family for word in one.cmdline())
    assert len(board.token) >= 22
