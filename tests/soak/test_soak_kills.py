"""Random kills over the demo, resumed each time: the LoRA of the run that nobody disturbed, or none. `make soak`."""

import os
import random
import shutil
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
PRESET = (
    *("samples.prompts=[]", "steps.num_repeats=2", "training.save_state=true"),
    *("training.save_state_every_n_steps=3", "training.keep_only_last_n_states=2"),
)
SETS = tuple(word for setting in PRESET for word in ("--set", setting))
AGAIN, TRIES = 0.3, 30
"""How probably a run that goes on is killed, too."""
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


def kill_someone(wrapper: subprocess.Popen[bytes], dice: random.Random) -> bool:
    """Kill the wrapper, one of its processes, or all of them, if it still runs."""
    if wrapper.poll() is not None:
        return False
    below = psutil.Process(wrapper.pid).children(recursive=True)
    pids = [wrapper.pid, *(each.pid for each in below)]
    victims = dice.choice((pids[:1], pids[1:2], pids[-1:], pids))
    for victim in victims:
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
    return True


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
    while min(kills, ends) < KILLS:
        root = tmp_path / f"run-{ends}"
        root.mkdir()
        more: tuple[str, ...] = ()
        code, chance, tries = -1, 1.0, 0
        while code != ENDED:
            tries += 1
            assert tries < TRIES, f"seed {seed}, run {ends}: exit code {code} again and again"
            wrapper = train(root, *more)
            if dice.random() < chance:
                time.sleep(dice.uniform(1.0, length))
                kills += kill_someone(wrapper, dice)
            code, chance = wrapper.wait(), AGAIN
            time.sleep(1.0)  # the guard's time to end the engine
            more = () if code == NO_STATE or not records(root) else ("--resume",)
        assert tensors(root) == expected, f"seed {seed}, run {ends}"
        shutil.rmtree(root)
        ends += 1
    took = time.monotonic() - began
    print(f"\n{kills} kills (seed {seed}), {ends} runs brought to their end, all right, in {took:.0f} s")  # noqa: T201
