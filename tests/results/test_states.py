"""Training states: only whole ones are seen."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from kohya_wrap.results.states import find_states, is_whole, settle_state

FILES = ("train_state.json", "model.safetensors", "optimizer.bin", "scheduler.bin", "random_states_0.pkl")


def make_state(staging: Path, when: str, name: str = "tiger") -> Path:
    folder = staging / f"{name}-{when}-state"
    folder.mkdir(parents=True)
    (folder / "train_state.json").write_text(json.dumps({"current_epoch": 1, "current_step": 5}))
    save_file({"x": np.ones(100, dtype=np.float32)}, str(folder / "model.safetensors"))
    for file in FILES[2:]:
        with zipfile.ZipFile(folder / file, "w") as opened:
            opened.writestr("archive/data.pkl", b"x" * 1000)
    return folder


def test_states_come_oldest_first(tmp_path: Path) -> None:
    """By steps, of this project alone; the state of the training's end and other files are none."""
    for when in ("000010", "000002", "step00000012"):
        make_state(tmp_path, when)
    make_state(tmp_path, "000003", name="lion")
    make_state(tmp_path, "000003", name="tiger-step")
    (tmp_path / "tiger-state").mkdir()
    (tmp_path / "tiger-000002.safetensors").touch()
    assert [state.steps for state in find_states(tmp_path, "tiger", steps_per_epoch=5)] == [10, 12, 50]


def test_what_the_engine_did_not_count_is_added_to_steps_alone(tmp_path: Path) -> None:
    """A run that went on in its third epoch: epochs keep their numbers, steps began again."""
    make_state(tmp_path, "000003")
    make_state(tmp_path, "step00000007")
    found = find_states(tmp_path, "tiger", steps_per_epoch=5, uncounted=10)
    assert [(state.path.name, state.steps) for state in found] == [
        ("tiger-000003-state", 15),
        ("tiger-step00000007-state", 17),
    ]


def test_no_folder_has_no_states(tmp_path: Path) -> None:
    """A run that saved nothing yet."""
    assert find_states(tmp_path / "none", "tiger", steps_per_epoch=5) == ()


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["gone", "empty", "half"])
def test_a_state_without_a_whole_file_is_none(tmp_path: Path, file: str, damage: str) -> None:
    """Each file counts: gone, empty, or cut in half."""
    state = make_state(tmp_path, "000001")
    assert is_whole(state)
    path = state / file
    data = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(b"" if damage == "empty" else data[: len(data) // 2])
    assert not is_whole(state)
    assert find_states(tmp_path, "tiger", steps_per_epoch=5) == ()


def test_a_file_with_other_bytes_inside_is_seen_by_its_checksum(tmp_path: Path) -> None:
    """Power loss can leave a file of the right length with zeros in it."""
    state = make_state(tmp_path, "000001")
    path = state / "optimizer.bin"
    data = bytearray(path.read_bytes())
    data[100:200] = bytes(100)
    path.write_bytes(data)
    assert not is_whole(state)


def test_weights_that_never_reached_the_disk_are_none(tmp_path: Path) -> None:
    """Power loss can leave the header, and zeros of the right length behind it."""
    state = make_state(tmp_path, "000001")
    weights = {"a.lora_down.weight": np.ones((4, 8), np.float32), "a.lora_up.weight": np.zeros((8, 4), np.float32)}
    save_file(weights, str(state / "model.safetensors"))
    assert is_whole(state)
    weights["a.lora_down.weight"] = np.zeros((4, 8), np.float32)
    save_file(weights, str(state / "model.safetensors"))
    assert not is_whole(state)


def test_a_state_is_settled_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file, the folder, and its name in the folder above; one that is gone meanwhile is no error."""
    state = make_state(tmp_path, "000001")
    synced: list[Path] = []
    monkeypatch.setattr("os.fsync", lambda opened: synced.append(Path(f"/proc/self/fd/{opened}").readlink()))
    settle_state(state)
    assert set(synced) == {*(state / name for name in FILES), state, tmp_path}
    settle_state(tmp_path / "gone-state")
