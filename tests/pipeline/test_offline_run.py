"""The main job without any network: base model, VAE and tokenizer from the store, trained by sd-scripts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kohya_wrap.paths import CachePaths

pytestmark = pytest.mark.sd_scripts

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))
DEAD = "http://127.0.0.1:9"
"""Nothing listens there: whoever asks the network fails."""


def test_a_filled_store_trains_without_a_network(tmp_path: Path, sd15: tuple[Path, Path], sd15_run: list[str]) -> None:
    """Links in the preset, every address dead, and the run ends with a LoRA."""
    real, home = CachePaths.from_environment().home, tmp_path / "cache"
    folders = home / "models" / "folders"
    folders.mkdir(parents=True)
    for name in ("environments", "sd-scripts"):
        if (real / name).exists():
            (home / name).symlink_to(real / name)
    (folders / "u--base@1").symlink_to(sd15[0])
    (folders / "u--base@1.json").write_text(json.dumps({"source": "https://huggingface.co/u/base"}), encoding="utf-8")
    (folders / "u--vae@1").symlink_to(sd15[0] / "vae")
    (folders / "u--vae@1.json").write_text(json.dumps({"source": "https://huggingface.co/u/vae"}), encoding="utf-8")
    (home / "tokenizers").symlink_to(sd15[1])
    sets = [one for one in sd15_run if "tokenizer" not in one and "model_url" not in one]
    sets += ["setup.optional_custom_training_model_url=u/base", "setup.vae=u/vae", "steps.how_many=1"]
    argv = [COMMAND, "train", "one-image", "--offline", *(word for one in sets for word in ("--set", one))]
    dead = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_ENDPOINT"), DEAD)
    env = {**os.environ, **dead, "KOHYA_WRAP_HOME": str(home)}
    subprocess.run([COMMAND, "setup", "--engine", "sd-scripts"], cwd=tmp_path, env=env, check=True, capture_output=True)
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    (record,) = tmp_path.glob("Loras/lakto-lora/runs/*/run.json")
    assert "u--base@1" in record.read_text(encoding="utf-8")
    assert (tmp_path / "Loras/lakto-lora/output/lakto-lora-01.safetensors").is_file()
