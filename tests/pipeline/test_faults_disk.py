"""A disk that is full, gone or read-only while a run writes: on a small file system of its own."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers_faults import EPOCHS, HOLD, Broken, broken, make_broken

from kohya_wrap.record import read_record
from kohya_wrap.results.states import find_states

__all__ = ["broken"]

FULL = """
import os, pathlib, shutil
def fill(folder, *, leave=0):
    free = shutil.disk_usage(folder).free - leave
    with open(pathlib.Path(folder) / "balloon", "wb") as file:
        while free > 0:
            free -= file.write(bytes(min(free, 1 << 20)))
"""
"""Fills the file system to the last byte, or but for `leave` of them."""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Broken]:
    """Give the demo on a file system of 24 MiB, with states."""
    root = tmp_path / "root"
    root.mkdir()
    argv = ("mount", "-t", "tmpfs", "-o", "size=24M", "none", str(root))
    try:
        subprocess.run(argv, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root can mount a small file system")
    yield make_broken(root, tmp_path / "engine", "training.save_state=true")
    subprocess.run(("umount", "--lazy", str(root)), check=True)


def full_in(small: Broken) -> str:
    """Give FULL with ROOT, the file system's folder."""
    return f"{FULL}\nROOT = pathlib.Path({str(small.root)!r})\n"


def names(small: Broken) -> list[str]:
    """Give the names of the published LoRAs."""
    return sorted(path.name for path in small.published())


def free_again(small: Broken) -> None:
    """Take the balloon out."""
    for balloon in small.root.rglob("balloon"):
        balloon.unlink()


def test_full_while_a_lora_is_saved(small: Broken) -> None:
    """Exit code 27; the first LoRA is published, and the cut one is not."""
    small.fault(FULL + "def before_lora(path):\n    if '000002' in path.name: fill(path.parent, leave=400_000)")
    ended = small.train()
    assert ended.code == 27, ended.output
    assert small.record["status"] == "failed"
    assert names(small) == ["demo-01.safetensors"]
    free_again(small)
    small.check_afterwards(small.published())


def test_full_while_a_state_is_saved(small: Broken) -> None:
    """Exit code 27; the cut state is none to resume from, and the first one is."""
    small.fault(FULL + "def before_state(path):\n    if '000002' in path.name: fill(path.parent, leave=1_200_000)")
    ended = small.train()
    assert ended.code == 27, ended.output
    assert [state.path.name for state in find_states(small.run_folder / "output", "demo", steps_per_epoch=1)] == [
        "demo-000001-state"
    ]
    assert names(small) == ["demo-01.safetensors", "demo-02.safetensors"]
    free_again(small)
    small.check_afterwards(small.published())


def test_full_while_the_log_is_written(small: Broken) -> None:
    """Exit code 27 and no process left; the record is closed in the room that was kept for it."""
    small.fault(full_in(small) + "def before_step(step):\n    if step == 6: fill(ROOT)")
    ended = small.train()
    assert ended.code == 27, ended.output
    assert (small.record["status"], small.record["error"]["exit_code"]) == ("failed", 27)
    free_again(small)
    small.check_afterwards(small.published())


def test_full_while_the_record_is_written(small: Broken) -> None:
    """The training is over and not a byte is free: the record is closed in its own room, and nothing is lost."""
    small.fault(full_in(small) + "def ending(): fill(ROOT)")
    ended = small.train()
    assert ended.code == 0, ended.output
    assert small.record["status"] == "succeeded"
    assert len(small.published()) == EPOCHS
    free_again(small)
    small.check_afterwards(small.published())


def test_full_with_no_room_kept_for_the_record(small: Broken) -> None:
    """Someone takes that room too: exit code 27, and the open record is whole and read as crashed."""
    take = "def ending():\n    for each in ROOT.rglob('.run.json.reserve'): each.unlink()\n    fill(ROOT)"
    small.fault(full_in(small) + take)
    ended = small.train()
    assert ended.code == 27, ended.output
    assert read_record(small.run_folder / "run.json").status == "crashed"
    free_again(small)
    small.check_afterwards(small.published())


def test_a_file_system_that_becomes_read_only(small: Broken) -> None:
    """As a disk with errors does: the cause is said, that the record stays open too, and no process is left."""
    small.fault(HOLD, at_step=6)
    folder = str(small.root)
    with small.training() as training:
        subprocess.run(("mount", "--bind", folder, folder), check=True)
        subprocess.run(("mount", "-o", "remount,bind,ro", folder), check=True)
        try:
            training.go_on()
            ended = training.end()
        finally:
            subprocess.run(("umount", "--lazy", folder), check=True)
    assert ended.code == 20, ended.output
    assert "its file system is read-only" in ended.output
    assert "record could not be closed" in ended.output
    assert read_record(small.run_folder / "run.json").status == "crashed"
    small.check_afterwards(small.published())


@pytest.mark.parametrize("what", ["output", "runs"])
def test_a_folder_that_is_removed(broken: Broken, what: str) -> None:
    """The project's output is made again; without the run's own folder the run ends, and says which is gone."""
    assert broken.train().code == 0
    broken.fault(HOLD, at_step=6)
    with broken.training() as training:
        shutil.rmtree(broken.project / what)
        training.go_on()
        ended = training.end()
    assert ended.code == (0 if what == "output" else 24), ended.output
    if what == "output":
        assert len(broken.published()) == EPOCHS
    else:
        assert "could not open" in ended.output
        assert "record could not be closed" in ended.output
    broken.check_afterwards(broken.published())
