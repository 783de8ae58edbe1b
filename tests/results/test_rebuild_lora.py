"""A preset from a LoRA's own metadata, as far as it goes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from helpers_lora import DATASETS, SAID, lora_of, write_lora

from kohya_wrap import presets
from kohya_wrap.base_models.named import NAMED
from kohya_wrap.config import TrainConfig
from kohya_wrap.errors import BadResultError
from kohya_wrap.presets import Given
from kohya_wrap.results.rebuild import given_by_lora


def given_of(folder: Path, **change: Any) -> Given:
    return given_by_lora("tiger", write_lora(folder / "m.safetensors", lora_of(), SAID | change))


def config_of(folder: Path, **change: Any) -> TrainConfig:
    path = presets.new_preset("tiger", extends="character", target_dir=folder, given=given_of(folder, **change))
    return presets.load(path).config


def test_what_the_training_wrote_down_is_set(tmp_path: Path) -> None:
    """Base model, processing, steps, learning, structure, optimizer, seed, and the tag that calls it."""
    config = config_of(tmp_path)
    assert config.setup.optional_custom_training_model_url == config.setup.base_model_sha256 == "ab" * 32
    processing = config.processing
    assert (processing.resolution, processing.activation_tags, processing.shuffle_tags) == (512, 1, True)
    steps = config.steps
    assert (steps.num_repeats, steps.how_many, steps.preferred_unit, steps.train_batch_size) == (10, 10, "Epochs", 2)
    learning = config.learning
    assert (learning.unet_lr, learning.text_encoder_lr, learning.lr_warmup_ratio) == (5e-4, 1e-4, 0.04)
    assert (learning.lr_scheduler, learning.min_snr_gamma) == ("cosine_with_restarts", True)
    assert (config.structure.lora_type, config.structure.network_dim, config.structure.network_alpha) == ("LoRA", 4, 2)
    assert config.optimizer.optimizer == "AdamW8bit"
    assert config.optimizer.optimizer_args == ("weight_decay=0.1", "betas=(0.9,0.99)")
    assert (config.training.seed, config.training.clip_skip, config.training.max_token_length) == (42, 2, 225)
    assert config.dataset.activation_tag == "lakto_tiger"


def test_what_it_cannot_know_is_said(tmp_path: Path) -> None:
    """The pictures, and the fields that leave no trace."""
    notes = " ".join(given_of(tmp_path).notes)
    assert "dataset.images" in notes
    assert "lr_scheduler_number" in notes


def test_what_it_cannot_know_is_inherited(tmp_path: Path) -> None:
    """Fields without a trace stay those of the preset that is extended."""
    base = presets.load("character", overrides=["setup.project_name=x"]).config
    config = config_of(tmp_path)
    assert config.steps.save_every_n_epochs == base.steps.save_every_n_epochs
    assert config.processing.caption_extension == base.processing.caption_extension


@pytest.mark.parametrize(
    ("change", "where", "value"),
    [
        ({"ss_min_snr_gamma": "None"}, "learning.min_snr_gamma", False),
        ({"ss_seed": "0"}, "training.seed", 0),
        ({"ss_network_args": '{"conv_dim": "8", "conv_alpha": "4"}'}, "structure.lora_type", "LoCon"),
        ({"ss_network_args": '{"conv_dim": "8", "conv_alpha": "4"}'}, "structure.conv_alpha", 4),
        (
            {"ss_network_module": "lycoris.kohya", "ss_network_args": '{"algo": "loha"}'},
            "structure.lora_type",
            "LoHa Lycoris",
        ),
        ({"ss_noise_offset": "0.1"}, "sd_scripts.noise_offset", 0.1),
        ({"ss_optimizer": "my.own.Optimizer"}, "optimizer.optimizer", "my.own.Optimizer"),
        ({"ss_optimizer": "prodigyopt.prodigy.Prodigy(d_coef=2)"}, "optimizer.optimizer", "Prodigy"),
        ({"ss_new_sd_model_hash": NAMED["Anime"].sha256}, "setup.training_model", "Anime"),
        ({"ss_sd_model_name": "tiny-random-1"}, "setup.training_model", "Tiny random"),
        ({"ss_new_sd_model_hash": "None"}, "setup.optional_custom_training_model_url", "167e5bcb"),
        ({"ss_text_encoder_lr": "[0.0001, 0.0002]"}, "learning.text_encoder_lr", 1e-4),
        ({"ss_lr_warmup_steps": "0"}, "learning.lr_warmup_ratio", 0.0),
    ],
)
def test_single_values(tmp_path: Path, change: dict[str, str], where: str, value: object) -> None:
    """Each as the field has it: None is none, 0 is a value, classes by their names."""
    assert given_of(tmp_path, **change).values[where] == value


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"ss_network_module": "networks.oft"}, "networks.oft is no lora_type"),
        ({"ss_sd_model_hash": "None", "ss_new_sd_model_hash": "None"}, r"base.safetensors\) has no hash"),
        ({"ss_datasets": json.dumps([{**DATASETS[0], "resolution": [512, 768]}])}, "not square"),
        ({"ss_datasets": json.dumps([{"subsets": [{}, {}]}])}, "on 2 folders"),
        ({"ss_network_dim": "-4"}, "network_dim cannot be -4"),
        ({"ss_lr_scheduler": "adafactor:0.1"}, "lr_scheduler cannot be"),
    ],
)
def test_what_a_preset_cannot_hold_is_said(tmp_path: Path, change: dict[str, str], note: str) -> None:
    """It becomes a note, and the preset still loads."""
    assert any(re.search(note, text) for text in given_of(tmp_path, **change).notes)
    assert config_of(tmp_path, **change).setup.project_name == "tiger"


@pytest.mark.parametrize(
    "value", ["{", "[" * 5000, "null", '"x"', "\x1b[2J", "9" * 5000, "nan", "1e999", "__import__('os')"]
)
def test_hostile_metadata_gives_a_preset_that_loads(tmp_path: Path, value: str) -> None:
    """Whatever stands in every key, nothing raises, nothing runs, and the file is a preset."""
    assert config_of(tmp_path, **dict.fromkeys(SAID, value)).setup.project_name == "tiger"


def test_a_lora_that_says_nothing_is_refused(tmp_path: Path) -> None:
    """Without sd-scripts' metadata there is nothing to rebuild."""
    path = write_lora(tmp_path / "m.safetensors", lora_of(), {"format": "pt"})
    with pytest.raises(BadResultError, match="does not say how it was trained"):
        given_by_lora("tiger", path)
