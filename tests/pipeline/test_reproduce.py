"""A run again from its record: the same tensors, or what differs; and what stands in the way said first."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from kohya_wrap import reproduce, run
from kohya_wrap.errors import DatasetError, OutputError
from kohya_wrap.pipeline import RunResult

pytestmark = pytest.mark.engine

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))
SHORT = ("steps.how_many=2", "steps.num_repeats=2", "setup.project_name=mine")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, engine_python: Path) -> RunResult:
    """A run on two pictures of the user's own, named by a relative path."""
    assert engine_python.exists()
    root = tmp_path_factory.mktemp("first")
    (root / "pics").mkdir()
    for index, name in enumerate(("a", "b")):
        Image.effect_noise((80, 70), 40 + 40 * index).convert("RGB").save(root / "pics" / f"{name}.png")
        (root / "pics" / f"{name}.txt").write_text(f"demo_shape, {name}", encoding="utf-8")
    return run("demo", root=root, overrides=(*SHORT, "dataset.images=pics"))


def test_the_same_tensors_come_out_again(first: RunResult, tmp_path: Path) -> None:
    """From the record alone, in another folder: every epoch bit-identical, and nothing that went in differs."""
    again = reproduce(first.record, into=tmp_path / "again")
    assert again.identical
    assert sorted(again.tensors) == [1, 2]
    assert first.samples.pictures
    assert again.result.samples.pictures == (), "test pictures are no part of what is compared"
    assert again.differences == ()


def test_the_picture_folder_named_first_is_not_needed_again(first: RunResult, tmp_path: Path) -> None:
    """What was trained is the project's own copy; the folder it came from may be gone."""
    root = Path(first.record.folder).parents[3]
    (root / "pics").rename(root / "gone")
    try:
        assert reproduce(first.record, into=tmp_path / "again").identical
    finally:
        (root / "gone").rename(root / "pics")


def test_what_changed_is_named_and_nothing_is_started(first: RunResult, tmp_path: Path) -> None:
    """A changed picture and a caption that is gone: one error with both, and no new folder."""
    copy = tmp_path / "copy"
    shutil.copytree(Path(first.record.folder).parents[3], copy)
    old, new = str(Path(first.record.folder).parents[3]), str(copy)
    files = tuple(entry.model_copy(update={"path": entry.path.replace(old, new)}) for entry in first.record.dataset)
    record = first.record.with_(folder=first.record.folder.replace(old, new), dataset=files)
    (copy / "Loras/mine/dataset/a.png").write_bytes(b"other")
    (copy / "Loras/mine/dataset/b.txt").unlink()
    with pytest.raises(DatasetError) as caught:
        reproduce(record, into=tmp_path / "again")
    assert [Path(problem.where).name for problem in caught.value.problems] == ["a.png", "b.txt"]
    assert not (tmp_path / "again").exists()


def test_a_folder_that_is_not_empty_is_refused(first: RunResult, tmp_path: Path) -> None:
    """Nothing of the user's is trained along, or overwritten."""
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="not empty"):
        reproduce(first.record, into=tmp_path)


def test_another_seed_is_seen_in_the_tensors(first: RunResult, tmp_path: Path) -> None:
    """What differs is said: the setting by its key, the tensors by how far apart they are. Exit code 1."""
    root = Path(first.record.folder).parents[3]
    record = Path(first.record.folder) / "run.json"
    text = record.read_text(encoding="utf-8")
    changed = text.replace('"stated": {', '"stated": {"training": {"seed": 7},', 1)
    record.write_text(changed, encoding="utf-8")
    try:
        argv = [COMMAND, "runs", "reproduce", "mine", "--into", str(tmp_path / "again")]
        done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)
    finally:
        record.write_text(text, encoding="utf-8")
    assert done.returncode == 1
    assert "settings: training.seed: 42 -> 7" in done.stdout
    assert "epoch 2     differs: at most" in done.stdout
