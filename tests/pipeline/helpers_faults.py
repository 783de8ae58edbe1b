"""The demo on an engine that breaks where it is told, in processes that are as real as those of a training."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
import pytest

from kohya_wrap import plan
from kohya_wrap.files import sha256_file
from kohya_wrap.paths import CachePaths
from kohya_wrap.results.lora_file import read_lora

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))
HERE = Path(__file__).parent
EPOCHS = 3
AT_FAULT = "at-fault"
"""A file that a fault writes when it has been reached, beside the fake engine."""
GO_ON = "go-on"
"""A file for which a held trainer waits."""
WAIT = f"""
import time, pathlib
def reached(): (pathlib.Path(__file__).parent / {AT_FAULT!r}).touch()
def before_step(step):
    if step == WHEN:
        reached()
        time.sleep(120)
"""
HOLD = f"""
import time, pathlib
HOME = pathlib.Path(__file__).parent
def before_step(step):
    if step == WHEN:
        (HOME / {AT_FAULT!r}).touch()
        while not (HOME / {GO_ON!r}).exists(): time.sleep(0.02)
"""
"""A trainer that waits until the test has done something, then goes on."""


@dataclass(frozen=True)
class Ended:
    """A command that ended by itself or by what was done to it."""

    code: int
    output: str


@dataclass(frozen=True)
class Broken:
    """A project folder with a fake engine beside it."""

    root: Path
    home: Path
    overrides: tuple[str, ...] = ()

    @property
    def project(self) -> Path:
        """The demo's folder."""
        return self.root / "Loras/demo"

    @property
    def run_folders(self) -> list[Path]:
        """The runs' folders, oldest first: those of one second are told apart by their first file."""
        return sorted(
            (self.project / "runs").iterdir(), key=lambda run: (run / "training_config.toml").stat().st_mtime_ns
        )

    @property
    def run_folder(self) -> Path:
        """The newest run's folder."""
        return self.run_folders[-1]

    @property
    def record(self) -> dict[str, Any]:
        """The newest run's record, as it lies on the disk."""
        return dict(json.loads((self.run_folder / "run.json").read_text(encoding="utf-8")))

    def fault(self, code: str, *, at_step: int = 0) -> None:
        """Say where the next trainer breaks; an empty text mends it."""
        for file in (AT_FAULT, GO_ON):
            (self.home / file).unlink(missing_ok=True)
        (self.home / "fault.py").write_text(code.replace("WHEN", str(at_step)), encoding="utf-8")

    @property
    def argv(self) -> list[str]:
        """The command that trains."""
        return [COMMAND, "train", "demo", *(word for each in self.overrides for word in ("--set", each))]

    @property
    def env(self) -> dict[str, str]:
        """The environment of a command, with a cache of its own."""
        return {**os.environ, "KOHYA_WRAP_HOME": str(self.home / "cache")}

    def train(self, *more: str) -> Ended:
        """Train to the end, or to what takes its place."""
        argv = [*self.argv, *(word for each in more for word in ("--set", each))]
        return self.command(*argv[1:])

    def command(self, *arguments: str) -> Ended:
        """Type a command and wait for its end."""
        done = subprocess.run(
            [COMMAND, *arguments],
            cwd=self.root,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Ended(done.returncode, done.stdout)

    @contextmanager
    def training(self) -> Iterator["Training"]:
        """Train until the fault has been reached; what still runs at the end of the block is killed."""
        output = self.home / "output.txt"
        with output.open("wb") as file:
            process = subprocess.Popen(
                self.argv, cwd=self.root, env=self.env, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )
        running = Training(self, process)
        try:
            wait_until((self.home / AT_FAULT).exists, "the fault was never reached")
            yield running
        finally:
            process.kill()
            for each in self.processes():
                each.kill()
            process.wait()

    def processes(self) -> list[psutil.Process]:
        """List the launchers and trainers of this engine that still run."""
        return [each for each in psutil.process_iter() if str(self.home) in _command_of(each) and _runs(each)]

    def published(self) -> dict[Path, str]:
        """Give the SHA256 of every LoRA in the project's output folder."""
        return {path: sha256_file(path) for path in self.project.glob("output/**/*.safetensors")}

    def check_afterwards(self, before: Mapping[Path, str] = MappingProxyType({})) -> None:
        """No process is left, what was whole is whole, what is published can be read, and the next run works."""
        assert self.processes() == []
        after = self.published()
        assert {path: after.get(path) for path in before} == before
        for path in after:
            read_lora(path)
        self.fault("")
        again = self.train()
        assert again.code == 0, again.output
        assert self.record["status"] == "succeeded"


@dataclass(frozen=True)
class Training:
    """A training that waits at its fault."""

    broken: Broken
    wrapper: subprocess.Popen[bytes]

    @property
    def trainer(self) -> int:
        """The training script's process."""
        return int(json.loads((self.broken.home / "launched.json").read_text())[0])

    @property
    def launcher(self) -> int:
        """accelerate's process."""
        return psutil.Process(self.trainer).ppid()

    def go_on(self) -> None:
        """Let a held trainer go."""
        (self.broken.home / GO_ON).touch()

    def wait_for_log(self, text: str, count: int = 1) -> None:
        """Wait until the log holds a text so many times."""
        log = self.broken.run_folder / "train.log"
        wait_until(lambda: log.read_text(encoding="utf-8").count(text) >= count, f"no {text!r} in the log")

    def wait_for_end_of(self, pids: Iterable[int]) -> None:
        """Wait until none of these processes runs any more."""
        wait_until(lambda: not {each.pid for each in self.broken.processes()} & set(pids), "a process goes on")

    def end(self, seconds: float = 40.0) -> Ended:
        """Wait for the wrapper's end."""
        code = self.wrapper.wait(timeout=seconds)
        return Ended(code, (self.broken.home / "output.txt").read_text(encoding="utf-8"))


def make_broken(root: Path, home: Path, *overrides: str) -> Broken:
    """Make a fake engine in `home` for the demo below `root`."""
    home.mkdir(parents=True, exist_ok=True)
    python = home / "env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    launcher = HERE / "fake_launcher.py"
    python.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(launcher))} {shlex.quote(str(home))} "$@"\n'
    )
    python.chmod(0o755)
    short = ("samples.prompts=[]", "steps.num_repeats=2", f"steps.how_many={EPOCHS}")
    stated = (f"engine.python={python}", *short, *overrides)
    broken = Broken(root, home, stated)
    broken.fault("")
    planned = plan("demo", root=root, overrides=stated, cache=CachePaths(home / "cache"))
    (home / "plan.json").write_text(json.dumps({"images": planned.dataset.train_images, "epochs": EPOCHS}))
    return broken


def wait_until(true: Callable[[], bool], why: str, seconds: float = 30.0) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, why
        time.sleep(0.02)


def send(pid: int, signum: signal.Signals) -> None:
    """Send a signal to one process."""
    os.kill(pid, signum)


def _command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@pytest.fixture
def broken(tmp_path: Path) -> Broken:
    """Give the demo on a fake engine."""
    (tmp_path / "root").mkdir()
    return make_broken(tmp_path / "root", tmp_path / "engine")
