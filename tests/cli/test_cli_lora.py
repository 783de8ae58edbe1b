"""kohya-wrap lora inspect as a user types it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))
MODULE = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
TENSORS = {
    f"{MODULE}.lora_down.weight": np.ones((2, 768), "float16"),
    f"{MODULE}.lora_up.weight": np.ones((4, 2), "float16"),
    f"{MODULE}.alpha": np.array(1, "float16"),
}


def lora(path: Path, metadata: Mapping[str, str] | None = None, tensors: Mapping[str, Any] = TENSORS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(dict(tensors), str(path), dict(metadata or {"ss_steps": "50", "ss_output_name": "tiger"}))
    return path


def inspect(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    argv = [COMMAND, "lora", "inspect", *map(str, words)]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, encoding="utf-8", check=False)


def test_a_lora_for_a_person(tmp_path: Path) -> None:
    """What it is, how long it was trained, its hashes, norms, and that nothing is broken."""
    shown = inspect(lora(tmp_path / "a.safetensors"))
    assert shown.returncode == 0
    for text in ("LoRA for Stable Diffusion 1.x, rank 2", "50 steps", "AutoV2 ", "M00 55.4", "NaN, Inf    none"):
        assert text in shown.stdout


def test_zeros_of_clip_skip_are_explained(tmp_path: Path) -> None:
    """The text encoder's last layer never learns with clip skip 2; a dead U-Net module gets no excuse."""
    te = "lora_te_text_model_encoder_layers_11_mlp_fc1"
    dead = {key.replace(MODULE, te): np.zeros_like(tensor) for key, tensor in TENSORS.items()}
    said = {"ss_clip_skip": "2"}
    shown = inspect(lora(tmp_path / "a.safetensors", said, TENSORS | dead), lora(tmp_path / "b.safetensors", said))
    assert "1 of 2 modules: lora_te" in shown.stdout
    assert shown.stdout.count("no fault: clip skip") == 1
    all_dead = {key: np.zeros_like(tensor) for key, tensor in (TENSORS | dead).items()}
    assert "no fault" not in inspect(lora(tmp_path / "c.safetensors", said, all_dead)).stdout


def test_loras_for_a_program(tmp_path: Path) -> None:
    """--json prints one list, in the order of the files, the metadata as it is included."""
    first, second = lora(tmp_path / "a.safetensors"), lora(tmp_path / "b.safetensors", {"key": "value"})
    found = json.loads(inspect(first, second, "--json").stdout)
    assert [one["file"] for one in found] == [str(first), str(second)]
    assert found[0]["numbers"]["norm_per_block"]["M00"] > 55
    assert (found[0]["steps"], found[1]["metadata"]) == (50, {"key": "value"})


def test_the_header_alone(tmp_path: Path) -> None:
    """--header shows neither norms nor hashes."""
    path = lora(tmp_path / "a.safetensors")
    assert "AutoV2" not in inspect(path, "--header").stdout
    (found,) = json.loads(inspect(path, "--header", "--json").stdout)
    assert (found["hashes"], found["numbers"], found["ranks"]) == (None, None, {"2": 1})


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    """--picture draws the norms, and its path is said; not into the JSON."""
    path = lora(tmp_path / "a.safetensors")
    assert str(tmp_path / "n.png") in inspect(path, "--picture", tmp_path / "n.png").stdout
    with Image.open(tmp_path / "n.png") as picture:
        assert picture.format == "PNG"
    json.loads(inspect(path, "--json", "--picture", tmp_path / "n.svg").stdout)


def test_a_picture_is_of_one_lora(tmp_path: Path) -> None:
    """Two files and one picture are refused before anything is read."""
    path = lora(tmp_path / "a.safetensors")
    shown = inspect(path, path, "--picture", tmp_path / "n.png")
    assert (shown.returncode, shown.stdout) == (15, "")


def test_a_folder_and_a_project(tmp_path: Path) -> None:
    """A folder stands for its LoRAs, a project for its newest one."""
    output = tmp_path / "Loras" / "tiger" / "output"
    files = [lora(output / f"tiger-{epoch:02}.safetensors") for epoch in (1, 2)]
    assert [one["file"] for one in json.loads(inspect(output, "--json").stdout)] == [str(file) for file in files]
    (found,) = json.loads(inspect("tiger", "--json", "--header", cwd=tmp_path).stdout)
    assert Path(found["file"]).name == "tiger-02.safetensors"


def test_one_bad_file_does_not_hide_the_others(tmp_path: Path) -> None:
    """The good one is shown, each bad one is named with what to do, the exit code is that of a bad LoRA."""
    empty = tmp_path / "empty.safetensors"
    empty.touch()
    shown = inspect(empty, lora(tmp_path / "a.safetensors"), tmp_path / "no.safetensors")
    assert shown.returncode == 31
    assert "50 steps" in shown.stdout
    assert f"{empty}: the LoRA is empty" in shown.stderr
    assert "no.safetensors: there is no such file" in shown.stderr


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    """A folder without LoRAs is an error, not silence."""
    shown = inspect(tmp_path)
    assert (shown.returncode, shown.stdout) == (31, "")
    assert "holds no LoRA" in shown.stderr


def test_hostile_metadata_cannot_drive_the_terminal(tmp_path: Path) -> None:
    """Escape sequences are replaced, line breaks cannot forge rows, and no text fills the screen."""
    evil = "\x1b[2J\x1b]0;title\x07\u202e\nlicence     MIT " + "x" * 100_000
    tags = json.dumps({"a": {evil: 1, "\ud800": 2}})
    said = {"ss_output_name": evil, "ss_seed": evil, "ss_sd_model_name": evil, "modelspec.license": evil}
    shown = inspect(lora(tmp_path / "a.safetensors", said | {"ss_tag_frequency": tags}))
    assert shown.returncode == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(shown.stdout)
    assert sum(line.startswith("licence") for line in shown.stdout.splitlines()) == 1
    assert max(len(line) for line in shown.stdout.splitlines()) < 1100


def test_hostile_metadata_as_json(tmp_path: Path) -> None:
    """Half characters and numbers that are none come out as JSON that reads back."""
    said = {"ss_network_alpha": "nan", "ss_tag_frequency": '{"a": {"\\ud800": 1}}', "ss_steps": "9" * 5000}
    broken = {**TENSORS, f"{MODULE}.alpha": np.array(np.nan, "float16")}
    (found,) = json.loads(inspect(lora(tmp_path / "a.safetensors", said, broken), "--json").stdout)
    assert (found["alpha"], found["tag_counts"], found["steps"]) == (None, {"\ud800": 1}, 0)
    assert found["numbers"]["not_finite"] == [f"{MODULE}.alpha"]
