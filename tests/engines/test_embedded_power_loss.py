"""Every disk that a loss of power can leave of a training that keeps one state: a whole state is on each of them.

The order of syncs, renames and removals is a real training's. A file holds anything until it is synced; a rename or a
removal may have reached the disk, or not, in any order, until the folder of the names is synced.
"""

import itertools
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from helpers_embedded import find_facts
from safetensors.numpy import save_file

from kohya_wrap.results.states import find_states

pytestmark = pytest.mark.engine

FILES = ("train_state.json", "model.safetensors", "optimizer.bin", "scheduler.bin", "random_states_0.pkl")
DAMAGES = ("gone", "empty", "half", "zeros")


@dataclass
class Disk:
    """What is sure to be on the disk, and which changes of names may be on it, too.

    `settled`: the synced files of every state's folder, by the state's name.
    """

    settled: dict[str, set[str]] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    pending: list[tuple[str, str]] = field(default_factory=list)

    def follow(self, what: str, path: str) -> None:
        """Take one thing that the training did."""
        place = Path(path)
        if what == "sync" and path == "output":
            for change in self.pending:
                self._apply(change, self.named)
            self.pending.clear()
        elif what == "sync" and place.parent.name.endswith("-state.part"):
            name = place.parent.name.removeprefix(".").removesuffix(".part")
            self.settled.setdefault(name, set()).add(place.name)
        elif place.name.endswith("-state") and (what == "rename" or place.name in self._seen()):
            self.pending.append((what, place.name))  # to remove what is not there changes nothing

    def names(self) -> Iterator[tuple[set[str], set[str]]]:
        """Yield (the states that are there, those of which some files are gone) as the disk may have them."""
        for count in range(len(self.pending) + 1):
            for reached in itertools.combinations(self.pending, count):
                there = set(self.named)
                for change in reached:
                    self._apply(change, there)
                torn = {name for what, name in self.pending if what == "remove" and name in there}
                yield there, set()
                yield there, torn

    def _seen(self) -> set[str]:
        seen = set(self.named)
        for change in self.pending:
            self._apply(change, seen)
        return seen

    @staticmethod
    def _apply(change: tuple[str, str], names: set[str]) -> None:
        what, name = change
        if what == "rename":
            names.add(name)
        else:
            names.discard(name)


def damage(path: Path, how: str) -> None:
    """Leave of a file what a file system may leave of one that was not synced."""
    content = path.read_bytes()
    path.unlink()
    if how != "gone":
        left = {"empty": b"", "half": content[: len(content) // 2], "zeros": bytes(len(content))}[how]
        path.write_bytes(left)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state's folder, every file of it readable."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / FILES[0]).write_text(json.dumps({"current_epoch": 1, "current_step": 1}))
    save_file({"x": np.ones(8, dtype=np.float32)}, str(folder / FILES[1]))
    for file in FILES[2:]:
        with zipfile.ZipFile(folder / file, "w") as opened:
            opened.writestr("archive/data.pkl", b"x" * 100)
    return folder


@pytest.fixture(scope="module")
def done(engine_python: Path) -> list[tuple[str, str]]:
    """What a training of three epochs synced, renamed and removed, in order."""
    return [(what, path) for what, path in find_facts(engine_python)["power_loss"]["done"]]


def lose_power(disk: Disk, whole: Path, folder: Path) -> Iterator[int]:
    """Build every folder that the disk may have, and yield the number of whole states found in each."""
    for how, (there, torn) in itertools.product(DAMAGES, disk.names()):
        for name in there:
            shutil.copytree(whole, folder / name)
            for file in set(FILES) - disk.settled.get(name, set()):
                damage(folder / name / file, how)
            if name in torn:
                (folder / name / FILES[-1]).unlink(missing_ok=True)
        yield len(find_states(folder, "t", steps_per_epoch=1))
        for name in there:
            shutil.rmtree(folder / name)


def lowest(done: list[tuple[str, str]], whole: Path, folder: Path) -> list[int]:
    """Give, for power lost after each thing done from the first state's syncing on, the fewest whole states left."""
    disk, found = Disk(), []
    for what, path in done:
        disk.follow(what, path)
        if disk.named:
            found.append(min(lose_power(disk, whole, folder)))
    return found


def test_a_whole_state_is_on_every_disk(done: list[tuple[str, str]], whole: Path, tmp_path: Path) -> None:
    """From the first state's line on, with one state kept, over all that is done after it."""
    found = lowest(done, whole, tmp_path)
    assert len(found) > 10
    assert min(found) == 1


@pytest.mark.parametrize("left_out", ["output", "model.safetensors", "random_states_0.pkl"])
def test_a_sync_that_is_left_out_is_seen(
    done: list[tuple[str, str]], whole: Path, tmp_path: Path, left_out: str
) -> None:
    """The same training without one of its syncs in the second epoch leaves some disk without a whole state."""
    first = done.index(("sync", "output"))
    rest = [each for each in done[first + 1 :] if each[0] != "sync" or Path(each[1]).name != left_out]
    assert min(lowest([*done[: first + 1], *rest], whole, tmp_path)) == 0
