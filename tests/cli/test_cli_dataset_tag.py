"""kohya-wrap dataset tag, as a process: what it prints."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))


def command(root: Path, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    variables = {**os.environ, "KOHYA_WRAP_HOME": str(root / "cache"), "HF_HOME": str(root / "hf"), **env}
    return subprocess.run(
        (COMMAND, "dataset", *words, "--root", str(root)),
        capture_output=True,
        text=True,
        check=False,
        env=variables,
        timeout=120,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one picture, and no tagger anywhere."""
    (tmp_path / "Loras/p/dataset").mkdir(parents=True)
    Image.new("RGB", (40, 40), (255, 0, 0)).save(tmp_path / "Loras/p/dataset/a.png")
    return tmp_path


def test_no_network(root: Path) -> None:
    """Where the hub cannot be reached, it is said where the files may be put by hand; no token is printed."""
    done = command(root, "tag", "p", HF_ENDPOINT="http://127.0.0.1:9", HF_TOKEN="hf_secretsecretsecret")
    assert done.returncode == 49
    assert "put model.onnx of SmilingWolf/wd-eva02-large-tagger-v3 into" in done.stderr
    assert "secretsecret" not in done.stdout + done.stderr


def test_thresholds_are_checked(root: Path) -> None:
    """An error of the dataset, with the option's name."""
    done = command(root, "tag", "p", "--tag-threshold", "7")
    assert done.returncode == 11
    assert "tag_threshold" in done.stderr
