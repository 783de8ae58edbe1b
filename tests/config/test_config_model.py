"""The tables: frozen, closed, strict, documented, and as the notebook has them."""

import re
import subprocess
import sys

import pytest
from config_helpers import config_of
from pydantic import ValidationError

from kohya_wrap.config import TrainConfig
from kohya_wrap.config.docs import field_docs, table_types

NOTEBOOK_DEFAULTS = {
    "setup.folder_structure": "project",
    "setup.training_model": "Anime",
    "setup.optional_custom_training_model_url": "",
    "setup.custom_model_is_based_on_sd2": False,
    "setup.custom_model_is_vpred": False,
    "processing.resolution": 512,
    "processing.flip_aug": False,
    "processing.caption_extension": ".txt",
    "processing.shuffle_tags": True,
    "processing.activation_tags": 1,
    "steps.num_repeats": 10,
    "steps.preferred_unit": "Epochs",
    "steps.how_many": 10,
    "steps.save_every_n_epochs": 1,
    "steps.keep_only_last_n_epochs": 10,
    "steps.train_batch_size": 2,
    "learning.unet_lr": 5e-4,
    "learning.text_encoder_lr": 1e-4,
    "learning.lr_scheduler": "cosine_with_restarts",
    "learning.lr_scheduler_number": 3,
    "learning.lr_warmup_ratio": 0.05,
    "learning.min_snr_gamma": True,
    "structure.lora_type": "LoRA",
    "structure.network_dim": 16,
    "structure.network_alpha": 8,
    "structure.conv_dim": 8,
    "structure.conv_alpha": 4,
    "structure.conv_compression": False,
    "training.seed": 42,
    "training.clip_skip": 2,
    "training.max_token_length": 225,
    "training.continue_from_lora": "",
    "training.weighted_captions": False,
    "training.adjust_tags": False,
    "training.activation_tag_weight": 1.0,
    "training.save_state": False,
    "training.save_state_every_n_steps": 0,
    "training.resume": "",
    "optimizer.optimizer": "AdamW8bit",
    "optimizer.optimizer_args": (),
    "optimizer.override_values_for_dadapt_and_prodigy": True,
    "extras.custom_dataset": "",
    "extras.override_dataset_config_file": "",
    "extras.override_config_file": "",
    "extras.zip": "",
    "extras.extract_to": "",
}
"""Every field of Lora_Trainer, now and 2023, with its default."""


@pytest.mark.parametrize("where", NOTEBOOK_DEFAULTS)
def test_every_field_of_the_notebook_is_there_with_its_default(where: str) -> None:
    """A notebook user finds each field by its name, and the value it had."""
    table, _, key = where.partition(".")
    value = getattr(getattr(config_of(), table), key)
    assert value == NOTEBOOK_DEFAULTS[where]
    assert type(value) is type(NOTEBOOK_DEFAULTS[where])


@pytest.mark.parametrize("table", table_types(TrainConfig))
def test_every_field_has_a_docstring_with_default_and_source(table: str) -> None:
    """What an editor shows for a field says what it is, its default and where it comes from."""
    kind = table_types(TrainConfig)[table]
    docs = field_docs(kind)
    assert set(docs) == set(kind.model_fields)
    for key, text in docs.items():
        assert re.search(r"Source: \w+", text), key
        assert re.search(r"Default: \S+|Required\.", text), key


def test_a_config_never_changes() -> None:
    """Tables are frozen."""
    with pytest.raises(ValidationError, match="frozen"):
        config_of().steps.how_many = 3


def test_a_table_is_closed() -> None:
    """A key that is no field is refused, not kept."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        config_of({"steps": {"epochs": 3}})


@pytest.mark.parametrize(
    "tables",
    [
        {"steps": {"how_many": "10"}},
        {"steps": {"how_many": 10.0}},
        {"steps": {"how_many": True}},
        {"processing": {"flip_aug": "true"}},
        {"processing": {"flip_aug": 1}},
        {"learning": {"unet_lr": "5e-4"}},
        {"learning": {"unet_lr": float("nan")}},
        {"learning": {"unet_lr": float("inf")}},
        {"structure": {"network_alpha": float("inf")}},
        {"structure": {"network_alpha": 0}},
        {"optimizer": {"optimizer_args": "weight_decay=0.1"}},
        {"processing": {"resolution": 500}},
        {"training": {"seed": -1}},
        {"training": {"seed": 2**32}},
        {"training": {"clip_skip": 0}},
        {"training": {"clip_skip": 13}},
        {"steps": {"save_every_n_epochs": -1}},
    ],
)
def test_values_are_never_coerced_or_out_of_the_engines_limits(tables: dict[str, dict[str, object]]) -> None:
    """A wrong type or a value the engine cannot take is refused, not bent."""
    with pytest.raises(ValidationError):
        config_of(tables)


def test_whole_numbers_stay_whole() -> None:
    """network_alpha = 8 is written to the engine as 8, and 8.5 as 8.5."""
    whole = config_of({"structure": {"network_alpha": 8}}).structure.network_alpha
    assert isinstance(whole, int)
    assert config_of({"structure": {"network_alpha": 8.5}}).structure.network_alpha == 8.5


def test_zero_and_false_survive() -> None:
    """A seed of 0, a warm-up of 0 and false are values."""
    config = config_of({"training": {"seed": 0}, "learning": {"lr_warmup_ratio": 0, "min_snr_gamma": False}})
    assert (config.training.seed, config.learning.lr_warmup_ratio, config.learning.min_snr_gamma) == (0, 0.0, False)


def test_config_imports_nothing_heavy() -> None:
    """The config room loads neither numpy nor any network or picture library."""
    code = "import kohya_wrap.config, sys; print(*sys.modules)"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert not {"numpy", "PIL", "requests", "huggingface_hub", "tensorboard", "torch"} & set(done.stdout.split())
