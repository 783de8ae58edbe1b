"""Random kills over the demo, resumed each time: the LoRA of the run that nobody disturbed, or none. `make soak`."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from kohya_wrap.record import RunRecord, find_records

pytestmark = [pytest.mark.soak, pytest.mark.engine]

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))
SETS = ("--set", "samples.prompts=[]", "--set", "steps.num_repeats=2", "--set", "training.save_state=true")
KILLS = int(os.environ.get("KOHYA_WRAP_KILLS", "20"))
ENDED, NO_STATE = 0, 15


def train(root: Path, *more: str) -> subprocess.Popen[bytes]:
    argv = (COMMAND, "train", "demo", *SETS, *more)
    return subprocess.Popen(argv, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def records(root: Path) -> list[RunRecord]:
    return [record for _, record in find_records(root) if isinstance(record, RunRecord)]


def tensors(root: Path) -> list[str]:
    """Give the hashes of the newest run's LoRAs."""
    return [lora.tensors_sha256 for lora in records(root)[-1].loras]


def kill_someone(wrapper: subprocess.Popen[bytes], dice: random.Random) -> str:
    """Kill the wrapper, one of its processes, or all of them."""
    try:
        below = psutil.Process(wrapper.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return "nobody"
    pids = [wrapper.pid, *(each.pid for each in below)]
    victims = dice.choice((pids[:1], pids[1:2], pids[-1:], pids))
    for victim in victims:
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
    return f"{len(victims)} of {len(below) + 1}"


def test_every_killed_run_ends_as_if_it_had_not_been(tmp_path: Path, engine_python: Path) -> None:
    """Whoever is killed whenever, with SIGKILL: in the end all LoRAs are bit-identical to the undisturbed run's."""
    assert engine_python.exists()
    began, seed = time.monotonic(), int(time.time())
    dice, kills, ends = random.Random(seed), 0, 0  # noqa: S311 - dice
    whole = tmp_path / "whole"
    whole.mkdir()
    assert train(whole).wait() == ENDED
    length = time.monotonic() - began
    expected = tensors(whole)
    while kills < KILLS:
        root = tmp_path / f"run-{ends}"
        root.mkdir()
        more: tuple[str, ...] = ()
        while True:
            wrapper = train(root, *more)
            if kills < KILLS and dice.random() < 0.75:
                time.sleep(dice.uniform(1.0, length))
                kill_someone(wrapper, dice)
                kills += 1
            code = wrapper.wait()
            time.sleep(1.0)  # the guard's time to end the engine
            if code == ENDED:
                break
            more = () if code == NO_STATE or not records(root) else ("--resume",)
        assert tensors(root) == expected, f"seed {seed}, run {ends}"
        ends += 1
    took = time.monotonic() - began
    print(f"\n{kills} kills (seed {seed}), {ends} runs brought to their end, all right, in {took:.0f} s")  # noqa: T201
