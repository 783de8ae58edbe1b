"""A preset from a saved configuration of kohya_ss' GUI."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kohya_wrap import presets
from kohya_wrap.config import TrainConfig
from kohya_wrap.errors import PresetError
from kohya_wrap.presets import Given
from kohya_wrap.results.rebuild import given_by_kohya_gui
from kohya_wrap.sd_scripts import check_passthrough

FIELDS: dict[str, Any] = {
    "LoRA_type": "Standard",
    "pretrained_model_name_or_path": "/models/base.safetensors",
    "output_dir": "/out",
    "output_name": "fox",
    "network_dim": 32.0,
    "network_alpha": "16",
    "learning_rate": "0.0002",
    "unet_lr": "0.0001",
    "text_encoder_lr": "5e-05",
    "lr_scheduler": "cosine",
    "lr_scheduler_num_cycles": "",
    "lr_warmup": "10",
    "optimizer": "AdamW8bit",
    "optimizer_args": "weight_decay=0.1 eps=1e-6",
    "epoch": 4,
    "max_train_epochs": "",
    "max_train_steps": "",
    "train_batch_size": 3,
    "max_resolution": "512,512",
    "enable_bucket": True,
    "bucket_no_upscale": False,
    "bucket_reso_steps": 64.0,
    "caption_extension": ".txt",
    "shuffle_caption": True,
    "keep_tokens": "1",
    "flip_aug": False,
    "clip_skip": "2",
    "seed": "1234",
    "min_snr_gamma": 5,
    "max_token_length": "225",
    "mixed_precision": "bf16",
    "save_precision": "fp16",
    "save_every_n_epochs": 1,
    "cache_latents": True,
    "gradient_checkpointing": True,
    "xformers": "sdpa",
    "noise_offset": "0.05",
    "adaptive_noise_scale": 0,
    "num_cpu_threads_per_process": 2,
    "additional_parameters": "",
}


def given_of(folder: Path, **change: Any) -> Given:
    path = folder / "fox.json"
    path.write_text(json.dumps(FIELDS | change), encoding="utf-8")
    return given_by_kohya_gui("fox", path)


def config_of(folder: Path, **change: Any) -> TrainConfig:
    path = presets.new_preset("fox", target_dir=folder / "presets", given=given_of(folder, **change))
    return presets.load(path, checks=[check_passthrough]).config


def test_the_gui_s_fields_are_the_preset_s(tmp_path: Path) -> None:
    """Numbers written as texts or with .0 are numbers; per cent of warm-up become a ratio."""
    config = config_of(tmp_path)
    assert config.setup.optional_custom_training_model_url == "/models/base.safetensors"
    assert (config.structure.lora_type, config.structure.network_dim, config.structure.network_alpha) == (
        "LoRA",
        32,
        16,
    )
    learning = config.learning
    assert (learning.unet_lr, learning.text_encoder_lr, learning.lr_warmup_ratio) == (1e-4, 5e-5, 0.1)
    assert (config.steps.how_many, config.steps.preferred_unit, config.steps.train_batch_size) == (4, "Epochs", 3)
    assert config.optimizer.optimizer_args == ("weight_decay=0.1", "eps=1e-6")
    training, engine = config.training, config.engine
    assert (training.seed, training.clip_skip, training.max_token_length) == (1234, 2, 225)
    assert (engine.mixed_precision, engine.attention, engine.num_cpu_threads) == ("bf16", "sdpa", 2)
    assert (config.processing.activation_tags, config.processing.shuffle_tags) == (1, True)
    assert dict(config.sd_scripts) == {"noise_offset": 0.05}


@pytest.mark.parametrize(
    ("change", "where", "value"),
    [
        ({"max_train_steps": "500"}, "steps.how_many", 500),
        ({"max_train_steps": "500"}, "steps.preferred_unit", "Steps"),
        ({"max_train_epochs": "9"}, "steps.how_many", 9),
        ({"LoRA_type": "Kohya LoCon", "conv_dim": 8, "conv_alpha": 4}, "structure.lora_type", "LoCon"),
        ({"LoRA_type": "LyCORIS/LoHa", "conv_dim": 8, "use_cp": True}, "structure.lora_type", "LoHa Lycoris"),
        ({"LoRA_type": "LyCORIS/LoHa", "conv_dim": 8, "use_cp": True}, "structure.conv_compression", True),
        ({"LoRA_type": "LyCORIS/LoCon", "conv_dim": "16"}, "structure.conv_dim", 16),
        ({"min_snr_gamma": 0}, "learning.min_snr_gamma", False),
        ({"text_encoder_lr": "0"}, "learning.text_encoder_lr", 0),
        ({"xformers": True}, "engine.attention", "xformers"),
        ({"xformers": "none"}, "engine.attention", "none"),
        ({"max_resolution": "768,768"}, "processing.resolution", 768),
        ({"train_data_dir": "/not/here"}, "dataset.images", "/not/here"),
    ],
)
def test_single_fields(tmp_path: Path, change: dict[str, Any], where: str, value: object) -> None:
    """Each as the preset has it."""
    assert given_of(tmp_path, **change).values[where] == value


def test_folders_with_repeats_in_their_names(tmp_path: Path) -> None:
    """One folder fills the fields; several become a custom dataset."""
    for name in ("10_fox", "5_wolf", "log"):
        (tmp_path / "img" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "img" / name / "a.png")
    config = config_of(tmp_path, train_data_dir=str(tmp_path / "img"))
    (dataset,) = tomllib.loads(config.extras.custom_dataset)["datasets"]
    assert [(Path(one["image_dir"]).name, one["num_repeats"]) for one in dataset["subsets"]] == [
        ("10_fox", 10),
        ("5_wolf", 5),
    ]


def test_one_folder_with_repeats_in_its_name(tmp_path: Path) -> None:
    """10_fox is trained ten times an epoch."""
    (tmp_path / "img" / "10_fox").mkdir(parents=True)
    given = given_of(tmp_path, train_data_dir=str(tmp_path / "img"))
    assert (given.values["steps.num_repeats"], given.values["dataset.images"]) == (10, str(tmp_path / "img" / "10_fox"))


@pytest.mark.parametrize("sdxl", [True, False])
def test_a_configuration_for_sdxl_says_so(tmp_path: Path, *, sdxl: bool) -> None:
    """The GUI's box "SDXL" is the preset's custom_model_is_sdxl."""
    assert config_of(tmp_path, sdxl=sdxl).setup.custom_model_is_sdxl is sdxl


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"LoRA_type": "LyCORIS/LoKr"}, "LyCORIS/LoKr is no lora_type"),
        ({"additional_parameters": "--nope"}, "Left out: additional_parameters = --nope"),
        ({"lr_warmup_steps": 50}, "The warm-up was 50 steps"),
        ({"seed": "0"}, "No seed is given"),
        ({"train_data_dir": "/not/here"}, "repeats are not known"),
        ({"lr_scheduler": "adafactor"}, "lr_scheduler cannot be"),
    ],
)
def test_what_a_preset_cannot_hold_is_said(tmp_path: Path, change: dict[str, Any], note: str) -> None:
    """It becomes a note, and the preset still loads."""
    assert any(note in text for text in given_of(tmp_path, **change).notes)
    assert config_of(tmp_path, **change).setup.project_name == "fox"


@pytest.mark.parametrize("value", [None, [], {}, "x", "\ud800", -1, 1e400, "9" * 5000, True])
def test_any_value_of_any_field_is_survived(tmp_path: Path, value: Any) -> None:
    """Whatever stands in every field, the file that comes out is a preset."""
    assert config_of(tmp_path, **dict.fromkeys(FIELDS, value)).setup.project_name == "fox"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', "[" * 100_000, "\udcff"])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    """What is no configuration of the LoRA tab."""
    path = tmp_path / "fox.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(PresetError, match="is no"):
        given_by_kohya_gui("fox", path)
