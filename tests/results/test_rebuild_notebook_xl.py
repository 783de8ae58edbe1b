"""A preset from a saved Lora_Trainer_XL notebook: what its form has beside Lora_Trainer's."""

import json
from pathlib import Path

import pytest

from kohya_wrap import presets
from kohya_wrap.config import TrainConfig
from kohya_wrap.presets import Given
from kohya_wrap.results.rebuild import given_by_notebook
from kohya_wrap.sd_scripts import check_passthrough

DEFAULTS = {
    "project_name": "",
    "training_model": "NoobAI V-Pred 1.0",
    "optional_custom_training_model": "",
    "custom_model_is_diffusers": False,
    "custom_model_is_vpred": False,
    "wandb_key": "",
    "unet_lr": 3e-4,
    "text_encoder_lr": 6e-5,
    "min_snr_gamma_enabled": True,
    "min_snr_gamma": 8.0,
    "ip_noise_gamma_enabled": False,
    "ip_noise_gamma": 0.05,
    "multinoise": True,
    "cross_attention": "sdpa",
    "precision": "full fp16",
    "cache_latents": True,
    "cache_latents_to_drive": True,
    "cache_text_encoder_outputs": False,
    "optimizer": "AdamW8bit",
    "recommended_values": True,
    "optimizer_args": "",
}


def given_of(folder: Path, **change: object) -> Given:
    lines = [f"{key} = {value!r} #@param" for key, value in {**DEFAULTS, **change}.items()]
    cell = {"cell_type": "code", "execution_count": 1, "source": "\n".join(lines)}
    path = folder / "n.ipynb"
    path.write_text(json.dumps({"cells": [cell], "nbformat": 4}), encoding="utf-8")
    return given_by_notebook("fox", path)


def config_of(folder: Path, **change: object) -> TrainConfig:
    path = presets.new_preset("fox", extends="sdxl", target_dir=folder, given=given_of(folder, **change))
    return presets.load(path, checks=[check_passthrough]).config


def test_the_form_s_defaults_are_a_preset(tmp_path: Path) -> None:
    """A named model, min-SNR's gamma, precision, attention, recommended arguments; no field is unknown."""
    config = config_of(tmp_path)
    assert (config.setup.family, config.setup.predicts_v) == ("sdxl", True)
    assert (config.learning.unet_lr, config.learning.min_snr_gamma) == (3e-4, 8.0)
    assert (config.engine.mixed_precision, config.engine.attention) == ("fp16", "sdpa")
    assert config.optimizer.optimizer_args == ("weight_decay=0.1", "betas=[0.9,0.99]")
    assert dict(config.sd_scripts) == {
        "multires_noise_iterations": 6,
        "multires_noise_discount": 0.3,
        "full_fp16": True,
    }
    assert not any("No fields" in note for note in given_of(tmp_path).notes)


def test_a_model_of_one_s_own_is_sdxl(tmp_path: Path) -> None:
    """The notebook is for SDXL alone, so its link is one."""
    setup = config_of(tmp_path, optional_custom_training_model="m.safetensors", custom_model_is_vpred=True).setup
    assert (setup.optional_custom_training_model_url, setup.family, setup.predicts_v) == ("m.safetensors", "sdxl", True)


def test_cached_captions_bring_what_they_need(tmp_path: Path) -> None:
    """As the notebook does: nothing shuffled, the text encoder untrained."""
    config = config_of(tmp_path, cache_text_encoder_outputs=True)
    assert (config.processing.shuffle_tags, config.learning.text_encoder_lr) == (False, 0.0)
    assert config.sd_scripts["cache_text_encoder_outputs"] is True


@pytest.mark.parametrize(
    ("precision", "mixed", "options"),
    [
        ("float", "no", set()),
        ("mixed fp16", "fp16", set()),
        ("full bf16", "bf16", {"full_bf16"}),
    ],
)
def test_precision_is_two_things(tmp_path: Path, precision: str, mixed: str, options: set[str]) -> None:
    """What is computed in, and whether the weights are kept in it, too."""
    config = config_of(tmp_path, precision=precision)
    assert config.engine.mixed_precision == mixed
    assert config.sd_scripts.keys() & {"full_fp16", "full_bf16"} == options


def test_switches_that_are_off_are_off(tmp_path: Path) -> None:
    """min-SNR and multinoise, which the preset sdxl has on; noise of one's own where it is asked for."""
    config = config_of(tmp_path, min_snr_gamma_enabled=False, multinoise=False, ip_noise_gamma_enabled=True)
    assert config.learning.min_snr_gamma is False
    assert (config.sd_scripts["multires_noise_iterations"], config.sd_scripts["ip_noise_gamma"]) == (0, 0.05)


def test_a_secret_is_not_written_down(tmp_path: Path) -> None:
    """The key of wandb is left out, and that is said."""
    given = given_of(tmp_path, wandb_key="0123456789abcdef")
    assert "0123456789abcdef" not in f"{given.values}{given.notes}"
    assert any("WANDB_API_KEY" in note for note in given.notes)
