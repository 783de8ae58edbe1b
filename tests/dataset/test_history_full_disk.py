"""Steps on a full disk: they end, what they did can be undone, and nothing of an earlier step is lost."""

from pathlib import Path

import pytest
from small_disk import fill, make_room, small_disk

from kohya_wrap.dataset.history import DatasetPlace, open_step, place_of, read_steps, undo
from kohya_wrap.errors import DiskFullError

LARGE = bytes(range(256)) * 256


def place_in(root: Path) -> DatasetPlace:
    """Give a project with a caption and a file of 64 KiB."""
    folder = root / "Loras/p/dataset"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("one")
    (folder / "b.png").write_bytes(LARGE)
    return place_of("p", root=root)


def write(place: DatasetPlace, text: str) -> None:
    with open_step(place, "curate", {}) as step:
        step.write(place.folder / "a.txt", text)


@pytest.mark.parametrize("leave", range(0, 5 * 4096, 4096))
def test_earlier_steps_are_kept(tmp_path: Path, leave: int) -> None:
    """Wherever the next one ends; with room again it is done, and both can be undone."""
    with small_disk(tmp_path / "root", kib=1024):
        place = place_in(tmp_path / "root")
        write(place, "two")
        fill(tmp_path / "root", leave=leave)
        with pytest.raises(DiskFullError), open_step(place, "curate", {}) as step:
            for number in range(10):
                step.write(place.folder / f"{number}.txt", "new")
        make_room(tmp_path / "root")
        write(place, "three")
        steps = read_steps(place.history)
        assert [each.number for each in steps] == list(range(1, len(steps) + 1))
        for _ in steps:
            undo(place)
        assert (place.folder / "a.txt").read_text() == "one"
        assert sorted(path.name for path in place.folder.iterdir()) == ["a.txt", "b.png"]


def test_no_half_file_in_a_dataset_on_another_disk(tmp_path: Path) -> None:
    """Files are copied there, and what does not fit is taken away again."""
    (tmp_path / "large.png").write_bytes(LARGE)
    place = place_in(tmp_path)
    with small_disk(place.folder, kib=32):
        with pytest.raises(DiskFullError), open_step(place, "add", {}) as step:
            step.write(place.folder / "a.txt", "two")
            step.add(tmp_path / "large.png", place.folder / "large.png")
        assert [path.name for path in place.folder.iterdir()] == ["a.txt"]


def test_a_file_that_could_not_be_set_aside_stays_whole(tmp_path: Path) -> None:
    """The history is on another disk, which is full: undo has no half of it to give back."""
    place = place_in(tmp_path)
    with small_disk(place.history, kib=48):
        with pytest.raises(DiskFullError), open_step(place, "clean", {}) as step:
            step.set_aside(place.folder / "b.png")
        make_room(place.history)
        undo(place, force=True)
        assert (place.folder / "b.png").read_bytes() == LARGE


def test_what_ended_a_step_is_said(tmp_path: Path) -> None:
    """Ctrl-C stays Ctrl-C, though the step's record cannot be closed."""
    with small_disk(tmp_path / "root", kib=1024):
        place = place_in(tmp_path / "root")
        with pytest.raises(KeyboardInterrupt), open_step(place, "curate", {}) as step:
            step.write(place.folder / "a.txt", "two")
            fill(tmp_path / "root")
            raise KeyboardInterrupt
        make_room(tmp_path / "root")
        undo(place)
        assert (place.folder / "a.txt").read_text() == "one"
