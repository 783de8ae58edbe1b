"""The main job for real: the tutorial's preset, trained by sd-scripts on a base of SD 1.5's size, on the CPU."""

import json
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers_resume import records, stop_after

from kohya_wrap import reproduce, resume, run
from kohya_wrap.errors import InterruptedRunError
from kohya_wrap.events import Step
from kohya_wrap.record import read_record
from kohya_wrap.results.lora_file import LoraFile, not_finite, read_lora

pytestmark = pytest.mark.sd_scripts

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))


@dataclass(frozen=True)
class Trained:
    """What `kohya-wrap train one-image` printed and left."""

    root: Path
    completed: subprocess.CompletedProcess[str]
    record: dict[str, object]

    def lora(self, epoch: int) -> LoraFile:
        """Open one epoch's LoRA."""
        return read_lora(self.root / f"Loras/lakto-lora/output/lakto-lora-{epoch:02d}.safetensors")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, sd15_run: list[str]) -> Trained:
    """Train once for all tests of this module, as a newcomer types it, SET in one string and all."""
    root = tmp_path_factory.mktemp("one image")
    argv = [COMMAND, "train", "one-image", "--offline", "--set-words", " ".join(sd15_run)]
    completed = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout[-3000:] + completed.stderr[-3000:]
    (record,) = root.glob("Loras/lakto-lora/runs/*/run.json")
    return Trained(root, completed, json.loads(record.read_text(encoding="utf-8")))


def test_the_network_is_the_tutorials(trained: Trained) -> None:
    """264 modules with three tensors each: 192 in the U-Net and 72 in the text encoder, all rank 16."""
    tensors = trained.lora(2).tensors
    modules = {name.partition(".")[0] for name in tensors}
    assert (len(modules), len(tensors)) == (264, 792)
    assert Counter(module.startswith("lora_unet_") for module in modules) == {True: 192, False: 72}
    ranks = {info.shape[0] for name, info in tensors.items() if name.endswith("lora_down.weight")}
    assert ranks == {16}


def test_every_epoch_is_there_and_names_its_steps(trained: Trained) -> None:
    """Two epochs of two steps; the last one has its number, too."""
    names = sorted(path.name for path in (trained.root / "Loras/lakto-lora/output").iterdir())
    assert names == ["lakto-lora-01.safetensors", "lakto-lora-02.safetensors"]
    assert [trained.lora(epoch).steps for epoch in (1, 2)] == [2, 4]


def test_the_second_epoch_goes_on_from_the_first(trained: Trained) -> None:
    """Something was learnt: finite numbers, and not the same ones after each epoch."""
    assert not_finite(trained.lora(2)) == ()
    loras = trained.record["loras"]
    assert isinstance(loras, list)
    assert len({lora["tensors_sha256"] for lora in loras}) == 2


def test_the_record_names_the_engine_and_its_commit(trained: Trained) -> None:
    """Enough to repeat it: the pinned commit, torch's version, every picture and the base model's files by hash."""
    engine, data, base = trained.record["engine"], trained.record["dataset"], trained.record["base_model"]
    assert isinstance(engine, dict)
    assert isinstance(data, list)
    assert isinstance(base, dict)
    assert trained.record["status"] == "succeeded"
    assert (engine["name"], len(engine["commit"])) == ("sd-scripts", 40)
    assert {"torch", "accelerate", "diffusers"} <= engine["versions"].keys()
    assert sorted(Path(entry["path"]).suffix for entry in data) == [".png", ".txt"]
    assert base["sha256"] or base["files"]


def test_the_engine_wrote_the_tutorials_settings_into_the_lora(trained: Trained) -> None:
    """What the preset says is what the LoRA's metadata says: tag, flip, rank, learning rates, repeats."""
    metadata = trained.lora(2).metadata
    (subset,) = json.loads(metadata["ss_datasets"])[0]["subsets"]
    assert (subset["num_repeats"], subset["flip_aug"]) == (4, True)
    assert (metadata["ss_network_dim"], metadata["ss_unet_lr"], metadata["ss_text_encoder_lr"]) == (
        "16",
        "0.0005",
        "0.0001",
    )
    assert "lakto_tiger" in metadata["ss_tag_frequency"]


def test_losses_and_log_are_kept(trained: Trained) -> None:
    """A loss for each of the four steps, and the engine's whole output."""
    losses = trained.record["losses"]
    assert isinstance(losses, dict)
    assert losses["steps"] == 4
    (log,) = trained.root.glob("Loras/lakto-lora/runs/*/train.log")
    text = log.read_text(encoding="utf-8")
    assert "create LoRA for U-Net: 192 modules." in text
    assert "model saved." in text


def test_the_files_for_the_engine_lie_in_the_run(trained: Trained) -> None:
    """training_config.toml and dataset_config.toml are those that were used."""
    launch = trained.record["launch"]
    assert isinstance(launch, dict)
    (folder,) = (trained.root / "Loras/lakto-lora/runs").iterdir()
    written = (folder / "training_config.toml").read_text(encoding="utf-8")
    assert written == launch["training_config"]
    sections = tomllib.loads(written)
    assert [section["output_name"] for section in sections.values() if "output_name" in section] == ["lakto-lora"]


def test_nothing_beside_the_picture_is_left(trained: Trained) -> None:
    """The project's folder holds the picture and its caption only: no latents, no cached lists."""
    names = sorted(path.suffix for path in (trained.root / "Loras/lakto-lora/dataset").iterdir())
    assert names == [".png", ".txt"]


def test_the_record_alone_gives_the_same_lora_again(trained: Trained, tmp_path: Path) -> None:
    """On the CPU sd-scripts repeats itself bit by bit, in another folder."""
    (record,) = trained.root.glob("Loras/lakto-lora/runs/*/run.json")
    again = reproduce(read_record(record), into=tmp_path / "again", offline=True)
    assert again.differences == ()
    assert again.identical


def test_a_stopped_run_goes_on_with_all_its_steps(sd15_run: list[str], tmp_path: Path) -> None:
    """Stopped within the second epoch: epochs, steps, losses and the LoRA's metadata are counted through.

    sd-scripts leaves the batch out that was done, and counts on from 1.
    """
    states = ["training.save_state=true", "training.save_state_every_n_steps=3"]
    overrides = [*sd15_run, "steps.how_many=3", *states]
    with pytest.raises(InterruptedRunError, match="runs resume"):
        run("one-image", root=tmp_path, overrides=overrides, on_event=stop_after(2), offline=True)
    seen: list[Step] = []
    result = resume(
        records(tmp_path)[-1],
        offline=True,
        on_event=lambda event: seen.append(event) if isinstance(event, Step) else None,
    )
    assert [record.continued.steps for record in records(tmp_path) if record.continued] == [3]
    assert [(lora.path.name, lora.steps) for lora in result.loras] == [
        ("lakto-lora-01.safetensors", 2),
        ("lakto-lora-02.safetensors", 4),
        ("lakto-lora-03.safetensors", 6),
    ]
    assert [(step.step, step.total) for step in seen] == [(4, 6), (5, 6), (6, 6)]
    assert [loss.step for loss in result.losses] == [1, 2, 3, 4, 5, 6]
    assert result.record.counts.done_steps == 6
    assert any("not the same bit by bit" in text for text in result.record.warnings)
