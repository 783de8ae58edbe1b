"""kohya-wrap presets new --from-… as a user types it."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.numpy import save_file

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))
MODULE = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"


def kohya_wrap(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    argv = [COMMAND, *map(str, words)]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, encoding="utf-8", check=False)


def values(folder: Path, name: str = "fox") -> dict[str, Any]:
    return tomllib.loads((folder / "presets" / f"{name}.toml").read_text(encoding="utf-8"))


def test_from_a_picture(tmp_path: Path) -> None:
    """Its model by the hash, its prompt as a sample; the path on stdout, the notes on stderr."""
    info = PngInfo()
    info.add_text("parameters", "a fox\nSteps: 20, Sampler: Euler a, Seed: 0, Model hash: aabbccddee, Model: \x1b[2Jm")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=info)
    made = kohya_wrap("presets", "new", "fox", "--from-picture", "a.png", cwd=tmp_path)
    assert (made.returncode, made.stdout.strip()) == (0, str(tmp_path / "presets" / "fox.toml"))
    assert values(tmp_path)["setup"]["optional_custom_training_model_url"] == "aabbccddee"
    assert "set dataset.images" in made.stderr
    assert "\x1b" not in made.stderr


def test_from_a_lora(tmp_path: Path) -> None:
    """What its metadata tells."""
    tensors = {f"{MODULE}.lora_down.weight": np.ones((2, 768), "float16")}
    said = {"ss_network_module": "networks.lora", "ss_network_dim": "2", "ss_seed": "0"}
    save_file(tensors, str(tmp_path / "a.safetensors"), said)
    made = kohya_wrap("presets", "new", "fox", "--from-lora", "a.safetensors", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert (values(tmp_path)["structure"]["network_dim"], values(tmp_path)["training"]["seed"]) == (2, 0)


def test_from_a_notebook_and_a_gui(tmp_path: Path) -> None:
    """Both are read by their own options."""
    cell = {"cell_type": "code", "source": 'project_name = "x" #@param\nhow_many = 3 #@param\n'}
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": [cell]}), encoding="utf-8")
    (tmp_path / "g.json").write_text(json.dumps({"LoRA_type": "Standard", "network_dim": 5}), encoding="utf-8")
    assert kohya_wrap("presets", "new", "fox", "--from-notebook", "n.ipynb", cwd=tmp_path).returncode == 0
    assert kohya_wrap("presets", "new", "wolf", "--from-kohya-gui", "g.json", cwd=tmp_path).returncode == 0
    assert values(tmp_path)["steps"]["how_many"] == 3
    assert values(tmp_path, "wolf")["structure"]["network_dim"] == 5


def test_whose_pictures_it_trains_is_said(tmp_path: Path) -> None:
    """One that extends one-image has the tutorial's until its own are set; one that extends character has none."""
    made = kohya_wrap("presets", "new", "wolf", cwd=tmp_path)
    assert (made.returncode, made.stdout.strip()) == (0, str(tmp_path / "presets" / "wolf.toml"))
    assert "pictures of one-image until you set dataset.images" in made.stderr
    assert kohya_wrap("presets", "new", "lynx", "--extends", "character", cwd=tmp_path).stderr == ""


def test_two_sources_are_refused(tmp_path: Path) -> None:
    """One preset is made from one thing; nothing is read or written."""
    made = kohya_wrap("presets", "new", "fox", "--from-lora", "a", "--from-toml", "b", cwd=tmp_path)
    assert (made.returncode, list(tmp_path.iterdir())) == (10, [])


def test_what_kohya_wrap_toml_wrote_comes_back(tmp_path: Path) -> None:
    """The preset made from both files writes the same two files again."""
    pictures = tmp_path / "Loras" / "fox" / "dataset"
    pictures.mkdir(parents=True)
    for index in range(3):
        Image.effect_noise((80, 96), 90).convert("RGB").save(pictures / f"{index}.png")
        (pictures / f"{index}.txt").write_text(f"fox, tag {index}", encoding="utf-8")
    changes = ["setup.project_name=fox", "setup.training_model=Tiny random", "engine.name=embedded"]
    changes += ["setup.optional_custom_training_model_url=", "dataset.images=[]"]
    changes += ["processing.resolution=64", "learning.lr_warmup_ratio=0.2", "steps.how_many=7", "training.seed=0"]
    sets = [word for change in changes for word in ("--set", change)]
    first = kohya_wrap("toml", "one-image", "--out", "first", *sets, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    made = kohya_wrap("presets", "new", "fox", "--from-toml", "first", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    second = kohya_wrap("toml", "fox", "--out", "second", cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    for name in ("training_config.toml", "dataset_config.toml"):
        written, again = ((tmp_path / place / name).read_text(encoding="utf-8") for place in ("first", "second"))
        assert again.replace("second/output", "first/output") == written


def test_from_a_lora_of_sdxl(tmp_path: Path) -> None:
    """It starts from the preset sdxl, on a base of its family until its own is named."""
    block = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
    said = {"ss_network_module": "networks.lora", "ss_network_dim": "2", "ss_base_model_version": "sdxl_base_v1-0"}
    save_file({f"{block}.lora_down.weight": np.ones((2, 2048), "float16")}, str(tmp_path / "a.safetensors"), said)
    made = kohya_wrap("presets", "new", "fox", "--from-lora", "a.safetensors", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert values(tmp_path)["extends"] == "sdxl"
    assert values(tmp_path)["setup"]["custom_model_is_sdxl"] is True
    assert "put a link" in made.stderr
    checked = kohya_wrap("presets", "show", "fox", cwd=tmp_path)
    assert "Stable Diffusion XL 1.0 base" in checked.stdout
