"""kohya-wrap lora install, as typed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers_lora import SAID, lora_of, write_lora
from webui_servers import Reply, as_json, serving

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """The tutorial's LoRA."""
    return write_lora(tmp_path / "lakto-lora-10.safetensors", lora_of(), SAID)


def typed(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "lora", "install", *words], env={**os.environ, **env}, capture_output=True, text=True, check=False
    )


def test_a_running_webui_is_told(lora: Path, tmp_path: Path) -> None:
    """Its own folder, by its flags; then it looks for new LoRAs; the last line is what to paste."""
    folder = tmp_path / "ui/Lora"
    folder.mkdir(parents=True)
    routes = {
        "/sdapi/v1/cmd-flags": lambda asked: as_json({"lora_dir": str(folder)}),
        "/sdapi/v1/refresh-loras": lambda asked: Reply(),
    }
    with serving(routes) as server:
        said = typed(str(lora), "--to", "webui", KOHYA_WRAP_WEBUI_URL=server.url)
        assert said.returncode == 0, said.stderr
        assert server.asked[-1].path == "/sdapi/v1/refresh-loras"
    assert (folder / lora.name).is_file()
    assert said.stdout.splitlines()[-1] == "paste: lakto_tiger, <lora:lakto-lora-10:0.8>"


def test_a_webui_elsewhere_wants_a_folder(lora: Path) -> None:
    """Its folder is not on this machine."""
    routes = {"/sdapi/v1/cmd-flags": lambda asked: as_json({"lora_dir": "/nowhere/Lora"})}
    with serving(routes) as server:
        said = typed(str(lora), "--to", "webui", KOHYA_WRAP_WEBUI_URL=server.url)
    assert said.returncode == 61
    assert "not on this machine" in said.stderr


def test_comfyui_by_its_folder(lora: Path, tmp_path: Path) -> None:
    """ComfyUI does not tell where it lies, and looks into its folders by itself."""
    assert typed(str(lora), "--to", "comfyui", KOHYA_WRAP_COMFYUI_FOLDER="").returncode == 61
    folder = tmp_path / "comfy/models/loras"
    folder.mkdir(parents=True)
    said = typed(str(lora), "--to", "comfyui", KOHYA_WRAP_COMFYUI_FOLDER=str(tmp_path / "comfy"))
    assert said.returncode == 0, said.stderr
    assert (folder / lora.name).is_file()


def test_nobody_of_that_name(tmp_path: Path) -> None:
    """Neither file nor run nor project."""
    said = typed("nobody", "--to", str(tmp_path), "--root", str(tmp_path))
    assert said.returncode == 15
    assert "no such run" in said.stderr
