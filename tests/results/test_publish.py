"""From the engine's names to NAME-01 … NAME-10, never over an earlier run's file."""

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kohya_wrap.errors import BadResultError
from kohya_wrap.results.lora_file import hashes, read_lora
from kohya_wrap.results.publish import Staged, check_staged, publish, staged_loras


def lora(path: Path, *, value: float = 1.0, steps: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"lora_unet_x.lora_up.weight": np.full((2, 2), value, "float16")}, str(path), {"ss_steps": str(steps)})
    return path


def staged_run(folder: Path, name: str = "tiger") -> Path:
    for epoch in (1, 2):
        lora(folder / f"{name}-{epoch:06d}.safetensors", steps=5 * epoch)
    lora(folder / f"{name}.safetensors", steps=15)
    return folder


def test_the_file_without_a_number_is_the_last_epoch(tmp_path: Path) -> None:
    """Epochs 1 and 2 carry numbers, the last one does not."""
    found = staged_loras(staged_run(tmp_path), "tiger", last_epoch=3)
    assert [(staged.path.name, staged.epoch) for staged in found] == [
        ("tiger-000001.safetensors", 1),
        ("tiger-000002.safetensors", 2),
        ("tiger.safetensors", 3),
    ]


def test_names_with_signs_of_a_pattern_are_names(tmp_path: Path) -> None:
    """A project named a+b is not a regular expression, and another project's files are not its own."""
    lora(tmp_path / "a+b.safetensors")
    lora(tmp_path / "aab.safetensors")
    lora(tmp_path / "a+b-step00000005.safetensors")
    assert [staged.path.name for staged in staged_loras(tmp_path, "a+b", last_epoch=1)] == ["a+b.safetensors"]


def test_loras_get_the_tutorials_names(tmp_path: Path) -> None:
    """NAME-01, NAME-02 and the last epoch NAME-03, each with its steps and hashes."""
    found = staged_loras(staged_run(tmp_path / "run"), "tiger", last_epoch=3)
    loras = publish([(s, check_staged(s)) for s in found], tmp_path / "output", name="tiger", run_id="r1")
    assert [each.path.name for each in loras] == [
        "tiger-01.safetensors",
        "tiger-02.safetensors",
        "tiger-03.safetensors",
    ]
    assert [each.steps for each in loras] == [5, 10, 15]
    assert all(each.path.parent == tmp_path / "output" for each in loras)
    assert len({each.sha256 for each in loras}) == 3
    assert len({each.tensors_sha256 for each in loras}) == 1


def test_a_second_run_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    """One taken name sends the whole second run into output/RUN; the first run's bytes stay."""
    first = staged_loras(staged_run(tmp_path / "one"), "tiger", last_epoch=3)
    before = publish([(s, check_staged(s)) for s in first[:1]], tmp_path / "output", name="tiger", run_id="r1")
    content = before[0].path.read_bytes()
    folder = staged_run(tmp_path / "two")
    lora(folder / "tiger-000001.safetensors", value=0.5)
    second = staged_loras(folder, "tiger", last_epoch=3)
    after = publish([(s, check_staged(s)) for s in second], tmp_path / "output", name="tiger", run_id="r2")
    assert {each.path.parent for each in after} == {tmp_path / "output" / "r2"}
    assert before[0].path.read_bytes() == content


def test_the_very_same_file_is_no_clash(tmp_path: Path) -> None:
    """A run that goes on finds the LoRAs of its first part where they belong, and adds to them."""
    found = staged_loras(staged_run(tmp_path / "run"), "tiger", last_epoch=3)
    checked = [(staged, check_staged(staged)) for staged in found]
    publish(checked[:2], tmp_path / "output", name="tiger", run_id="r1")
    after = publish(checked, tmp_path / "output", name="tiger", run_id="r2")
    assert {each.path.parent for each in after} == {tmp_path / "output"}


def test_a_run_that_went_on_counts_all_its_steps(tmp_path: Path) -> None:
    """The engine counted from 0 again: the published file says all steps, its tensors are the same."""
    lora(tmp_path / "run/t.safetensors", steps=10)
    (staged,) = staged_loras(tmp_path / "run", "t", last_epoch=4, uncounted=30)
    checked = check_staged(staged, steps=40)
    (published,) = publish([(staged, checked)], tmp_path / "output", name="t", run_id="r")
    again = read_lora(published.path)
    assert (published.steps, again.steps) == (40, 40)
    assert hashes(again)[1] == hashes(checked)[1]
    assert load_file(str(published.path)).keys() == checked.tensors.keys()


def test_a_link_costs_no_second_copy(tmp_path: Path) -> None:
    """On one file system the published file shares its bytes with the run's."""
    (staged,) = staged_loras(lora(tmp_path / "run/t.safetensors").parent, "t", last_epoch=1)
    (published,) = publish([(staged, check_staged(staged))], tmp_path / "output", name="t", run_id="r")
    assert os.stat(published.path).st_ino == os.stat(staged.path).st_ino  # noqa: PTH116 - both sides alike


@pytest.mark.parametrize(
    ("value", "steps", "expected"),
    [(float("nan"), 10, "nan or inf"), (1.0, 0, "before any step"), (1.0, 9, "says 9 steps, the plan 10")],
)
def test_a_bad_lora_is_refused(tmp_path: Path, value: float, steps: int, expected: str) -> None:
    """nan, an untrained file and a wrong count of steps are each said."""
    staged = Staged(lora(tmp_path / "t.safetensors", value=value, steps=steps), 1)
    with pytest.raises(BadResultError, match=expected):
        check_staged(staged, steps=10)


def test_a_lora_whose_bytes_never_reached_the_disk_is_refused(tmp_path: Path) -> None:
    """A lora_down of zeros alone is what a loss of power leaves; a lora_up may begin with them."""
    file = tmp_path / "t.safetensors"
    tensors = {"a.lora_down.weight": np.zeros((2, 2), "float16"), "a.lora_up.weight": np.zeros((2, 2), "float16")}
    save_file(tensors, str(file), {"ss_steps": "10"})
    with pytest.raises(BadResultError, match="1 of 2 tensors hold nothing but zeros"):
        check_staged(Staged(file, 1))


def test_a_published_lora_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sd-scripts does not sync what it saves: that is done before the link."""
    (staged,) = staged_loras(lora(tmp_path / "run/t.safetensors").parent, "t", last_epoch=1)
    synced: list[tuple[Path, bool]] = []

    def note(opened: int) -> None:
        published = (tmp_path / "output/t-01.safetensors").exists()
        synced.append((Path(f"/proc/self/fd/{opened}").readlink(), published))

    monkeypatch.setattr("os.fsync", note)
    publish([(staged, check_staged(staged))], tmp_path / "output", name="t", run_id="r")
    assert synced == [(staged.path, False)]


def test_a_lora_without_tensors_is_refused(tmp_path: Path) -> None:
    """An empty file of the right format is no LoRA."""
    save_file({}, str(tmp_path / "t.safetensors"), {"ss_steps": "10"})
    with pytest.raises(BadResultError, match="no tensors"):
        check_staged(Staged(tmp_path / "t.safetensors", 1))
