"""Steps keep what they replace, and undo gives it back, also when a step was cut short."""

import os
from pathlib import Path

import pytest
from filelock import FileLock

from kohya_wrap.dataset.history import DatasetPlace, Step, open_step, place_of, read_steps, undo
from kohya_wrap.errors import DatasetError, OutputError, ProjectBusyError


@pytest.fixture
def place(tmp_path: Path) -> DatasetPlace:
    """A project with two captions."""
    folder = tmp_path / "Loras/p/dataset"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("one")
    (folder / "b.txt").write_text("two")
    return place_of("p", root=tmp_path)


def content(place: DatasetPlace) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(place.folder.iterdir())}


def change_all(place: DatasetPlace) -> None:
    with open_step(place, "curate", {"tag": "x"}) as step:
        step.write(place.folder / "a.txt", "ONE")
        step.write(place.folder / "new.txt", "three")
        step.set_aside(place.folder / "b.txt")


def test_undo_gives_back_every_file(place: DatasetPlace) -> None:
    """Replaced, created and set aside: all is as it was."""
    before = content(place)
    change_all(place)
    assert content(place) == {"a.txt": "ONE", "new.txt": "three"}
    undo(place)
    assert content(place) == before


def test_what_a_step_made_is_kept_when_it_is_undone(place: DatasetPlace) -> None:
    """Nothing is ever deleted: the created file lies in the history."""
    change_all(place)
    step = undo(place)
    assert [path.read_text() for path in step.kept.iterdir()] == ["three"]


def test_steps_are_undone_newest_first(place: DatasetPlace) -> None:
    """Step by step, back to the beginning; then there is nothing to undo."""
    for text in ("1", "2", "3"):
        with open_step(place, "curate", {}) as step:
            step.write(place.folder / "a.txt", text)
    seen = []
    for _ in range(3):
        undo(place)
        seen.append(content(place)["a.txt"])
    assert seen == ["2", "1", "one"]
    with pytest.raises(DatasetError, match="nothing to undo"):
        undo(place)


def test_times_and_inodes_come_back(place: DatasetPlace) -> None:
    """The very file comes back, with its modification time: a copy would look changed to other programs."""
    path = place.folder / "a.txt"
    os.utime(path, ns=(10**18, 10**18))
    before = path.stat()
    change_all(place)
    undo(place)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_step_cut_short_stays_open_and_can_be_undone(place: DatasetPlace) -> None:
    """Ctrl-C in the middle: what was done is whole, and goes back."""
    before = content(place)
    with pytest.raises(KeyboardInterrupt), open_step(place, "curate", {}) as step:
        step.write(place.folder / "a.txt", "ONE")
        raise KeyboardInterrupt
    assert [record.state for record in read_steps(place.history)] == ["open"]
    assert content(place) == {"a.txt": "ONE", "b.txt": "two"}
    undo(place)
    assert content(place) == before


def test_a_change_that_was_noted_but_not_made_is_no_conflict(
    place: DatasetPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the note and the change: the old file is still there, and stays."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Step, "_put", killed)
    with pytest.raises(KeyboardInterrupt), open_step(place, "curate", {}) as step:
        step.write(place.folder / "a.txt", "ONE")
    undo(place)
    assert content(place) == {"a.txt": "one", "b.txt": "two"}


def test_files_changed_since_are_all_named_and_none_is_touched(place: DatasetPlace) -> None:
    """What was edited by hand after the step is not overwritten, unless that is asked for."""
    change_all(place)
    (place.folder / "a.txt").write_text("mine")
    (place.folder / "b.txt").write_text("another")
    with pytest.raises(DatasetError) as caught:
        undo(place)
    assert {Path(problem.where).name for problem in caught.value.problems} == {"a.txt", "b.txt"}
    assert content(place)["a.txt"] == "mine"
    undo(place, force=True)
    assert content(place) == {"a.txt": "one", "b.txt": "two"}


def test_a_file_changed_twice_in_one_step_goes_back_to_the_first(place: DatasetPlace) -> None:
    """Undo goes backwards through the changes."""
    with open_step(place, "curate", {}) as step:
        step.write(place.folder / "a.txt", "1")
        step.write(place.folder / "a.txt", "2")
    undo(place)
    assert content(place)["a.txt"] == "one"


def test_an_undo_that_was_cut_short_is_finished_by_the_next(
    place: DatasetPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Undo may be repeated: what is back already is left alone."""
    before = content(place)
    change_all(place)
    from kohya_wrap.dataset.history import undo as room

    real = room.__globals__["move"]
    calls: list[Path] = []

    def once(path: Path, target: Path) -> None:
        if calls:
            raise KeyboardInterrupt
        calls.append(path)
        real(path, target)

    monkeypatch.setitem(room.__globals__, "move", once)
    with pytest.raises(KeyboardInterrupt):
        undo(place)
    monkeypatch.setitem(room.__globals__, "move", real)
    undo(place)
    assert content(place) == before


def test_a_dry_run_counts_and_touches_nothing(place: DatasetPlace, tmp_path: Path) -> None:
    """No file, no history, no lock."""
    with open_step(place, "curate", {}, dry_run=True) as step:
        step.write(place.folder / "a.txt", "ONE")
        step.write(place.folder / "b.txt", "two")
        step.set_aside(place.folder / "b.txt")
        step.add(place.folder / "a.txt", place.folder / "c.txt")
    assert step.counts == {"replaced": 1, "aside": 1, "created": 1}
    assert content(place) == {"a.txt": "one", "b.txt": "two"}
    assert not place.history.exists()


def test_a_step_without_a_change_leaves_no_record(place: DatasetPlace) -> None:
    """Writing what is there already is no change."""
    with open_step(place, "curate", {}) as step:
        step.write(place.folder / "a.txt", "one")
    assert read_steps(place.history) == []


def test_two_at_once_are_refused(place: DatasetPlace) -> None:
    """The second step gets the exit code of a busy project, and changes nothing."""
    place.history.mkdir()
    with FileLock(place.history / ".lock"), pytest.raises(ProjectBusyError), open_step(place, "curate", {}):
        pass


def test_an_added_file_is_a_copy_with_its_times(place: DatasetPlace, tmp_path: Path) -> None:
    """The source stays where it is."""
    source = tmp_path / "c.txt"
    source.write_text("c")
    os.utime(source, ns=(10**18, 10**18))
    with open_step(place, "add", {}) as step:
        step.add(source, place.folder / "sub" / "c.txt")
    assert (place.folder / "sub/c.txt").stat().st_mtime_ns == 10**18
    assert source.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_said(place: DatasetPlace) -> None:
    """The error names the folder, and nothing is lost."""
    place.folder.chmod(0o500)
    with pytest.raises(OutputError), open_step(place, "curate", {}) as step:
        step.write(place.folder / "a.txt", "ONE")
    place.folder.chmod(0o700)
    assert content(place)["a.txt"] == "one"


def test_a_record_that_cannot_be_read_is_said(place: DatasetPlace) -> None:
    """A broken step.json is an error with its path, never passed over."""
    change_all(place)
    (place.history / "0001-curate" / "step.json").write_text("{")
    with pytest.raises(OutputError, match=r"step\.json"):
        read_steps(place.history)


@pytest.mark.parametrize(
    ("text", "folder", "history"),
    [
        ("p", "Loras/p/dataset", "Loras/p/history"),
        ("p/sub", "Loras/p/dataset/sub", "Loras/p/history"),
        ("Loras/p/dataset", "Loras/p/dataset", "Loras/p/history"),
        ("./pics", "pics", ".pics.history"),
        ("pics", "pics", ".pics.history"),
        ("c", "lora_training/datasets/c", "lora_training/history/c"),
        ("brand-new", "Loras/brand-new/dataset", "Loras/brand-new/history"),
    ],
)
def test_a_name_or_a_path_finds_its_folder(
    place: DatasetPlace, tmp_path: Path, text: str, folder: str, history: str
) -> None:
    """Projects by name, laid out either way; any folder by its path; the history is never inside the dataset."""
    (tmp_path / "pics").mkdir()
    (tmp_path / "lora_training/datasets/c").mkdir(parents=True)
    assert place_of(text, root=tmp_path) == DatasetPlace(tmp_path / folder, tmp_path / history)


def test_a_sub_folder_cannot_lead_out_of_the_project(place: DatasetPlace, tmp_path: Path) -> None:
    """NAME/../.. is refused."""
    with pytest.raises(DatasetError, match="out of the project"):
        place_of("p/../../..", root=tmp_path)


def test_a_step_that_was_killed_at_its_beginning_is_not_in_the_way(place: DatasetPlace) -> None:
    """Its folder had no record yet; the next step has its number."""
    (place.history / ".beginning/kept").mkdir(parents=True)
    change_all(place)
    assert [step.number for step in read_steps(place.history)] == [1]
    undo(place)
    assert content(place) == {"a.txt": "one", "b.txt": "two"}
