"""What the embedded engine honours, as plain data: the script refuses the rest, the wrapper says so before a launch.

A key with a tuple honours those values alone, a key with a type any value of it. Text where a flag is wanted would be
taken for true, so kinds are checked as well.
"""

from collections.abc import Mapping
from types import UnionType

Rule = tuple[object, ...] | type | UnionType

SCHEDULERS = ("constant", "cosine", "cosine_with_restarts", "constant_with_warmup", "linear", "polynomial")
OPTIMIZERS = ("AdamW", "Adam", "SGD", "RAdam", "NAdam")
NUMBER = int | float

TRAINING: Mapping[str, Rule] = {
    "pretrained_model_name_or_path": str,
    "network_module": ("networks.lora",),
    "network_dim": int,
    "network_alpha": NUMBER,
    "network_train_unet_only": bool,
    "network_train_text_encoder_only": bool,
    "network_weights": str,
    "unet_lr": NUMBER,
    "text_encoder_lr": NUMBER,
    "learning_rate": NUMBER,
    "lr_scheduler": SCHEDULERS,
    "lr_scheduler_num_cycles": int,
    "lr_scheduler_power": NUMBER,
    "lr_warmup_steps": NUMBER,
    "optimizer_type": OPTIMIZERS,
    "optimizer_args": list,
    "max_train_epochs": int,
    "max_train_steps": int,
    "train_batch_size": int,
    "save_every_n_epochs": int,
    "save_last_n_epochs": int,
    "save_state": bool,
    "save_last_n_epochs_state": int,
    "resume": str,
    "save_every_n_steps": int,
    "save_last_n_steps": int,
    "save_last_n_steps_state": int,
    "initial_step": int,
    "skip_until_initial_step": bool,
    "save_precision": ("float", "fp16", "bf16"),
    "save_model_as": ("safetensors",),
    "output_dir": str,
    "output_name": str,
    "logging_dir": str,
    "log_prefix": str,
    "seed": int,
    "clip_skip": tuple(range(1, 13)),
    "max_token_length": (75, 150, 225),
    "min_snr_gamma": NUMBER,
    "prior_loss_weight": (1.0,),
    "mixed_precision": ("no", "fp16", "bf16"),
    "cache_latents": (True,),
    "sdpa": bool,
    "gradient_checkpointing": bool,
    "max_grad_norm": NUMBER,
    "console_log_simple": (True,),
    "max_data_loader_n_workers": (0,),
    "persistent_data_loader_workers": (False,),
    "lowram": (False,),
    "v2": (False,),
    "weighted_captions": (False,),
}
SUBSET: Mapping[str, Rule] = {
    "image_dir": str,
    "is_reg": (False,),
    "num_repeats": int,
    "shuffle_caption": bool,
    "keep_tokens": int,
    "flip_aug": bool,
    "caption_extension": str,
    "class_tokens": str,
}
DATASET: Mapping[str, Rule] = {
    "resolution": int | list,
    "batch_size": int,
    "enable_bucket": bool,
    "min_bucket_reso": int,
    "max_bucket_reso": int,
    "bucket_reso_steps": int,
    "bucket_no_upscale": (False,),
    **{key: rule for key, rule in SUBSET.items() if key not in {"image_dir", "is_reg"}},
}
"""Keys of [general] and of [[datasets]]; a subset takes over those that it can have itself."""
HONOURED_TRAINING_KEYS = frozenset(TRAINING)
HONOURED_DATASET_KEYS = frozenset(DATASET) | frozenset(SUBSET)


def refusals(values: Mapping[str, object], honoured: Mapping[str, Rule], place: str) -> list[str]:
    """Say, one sentence each, which of `values` the engine does not honour."""
    found = []
    for key, value in values.items():
        if key not in honoured:
            found.append(f"{place}: the embedded engine does not honour {key}")
        elif wanted := _wanted(value, honoured[key]):
            found.append(f"{place}: the embedded engine does not honour {key} = {value!r} ({wanted})")
    return found


def dataset_refusals(document: Mapping[str, object]) -> list[str]:
    """Say, one sentence each, what of a dataset file the engine does not honour, key by key of each table."""
    found = [f"dataset file: the embedded engine does not honour {key}" for key in document if key not in _DATASET_FILE]
    found += refusals(_table(document.get("general", {})), DATASET, "[general]")
    for dataset in _tables(document.get("datasets", [])):
        own = {key: value for key, value in dataset.items() if key != "subsets"}
        found += refusals(own, DATASET, "[[datasets]]")
        for subset in _tables(dataset.get("subsets", [])):
            found += refusals(subset, SUBSET, "[[datasets.subsets]]")
    return found


_DATASET_FILE = ("general", "datasets")


def _wanted(value: object, rule: Rule) -> str:
    """Say what `rule` wants instead of `value`; empty where it is content."""
    if isinstance(rule, tuple):
        return "" if value in rule else f"it knows {', '.join(str(each) for each in rule)}"
    # Python's bool is an int; a TOML true is no number.
    fits = rule is bool if isinstance(value, bool) else isinstance(value, rule)
    return "" if fits else f"it takes {rule.__name__ if isinstance(rule, type) else rule}"


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _tables(value: object) -> list[Mapping[str, object]]:
    return [_table(each) for each in value] if isinstance(value, list) else []
