"""What the embedded engine honours, as plain data: the script refuses the rest, the wrapper says so before a launch.

A key with a tuple honours those values alone; a key with None any value of the right type.
"""

from collections.abc import Mapping

SCHEDULERS = ("constant", "cosine", "cosine_with_restarts", "constant_with_warmup", "linear", "polynomial")
OPTIMIZERS = ("AdamW", "Adam", "SGD", "RAdam", "NAdam")

TRAINING: Mapping[str, tuple[object, ...] | None] = {
    "pretrained_model_name_or_path": None,
    "network_module": ("networks.lora",),
    "network_dim": None,
    "network_alpha": None,
    "network_train_unet_only": None,
    "network_weights": None,
    "unet_lr": None,
    "text_encoder_lr": None,
    "learning_rate": None,
    "lr_scheduler": SCHEDULERS,
    "lr_scheduler_num_cycles": None,
    "lr_scheduler_power": None,
    "lr_warmup_steps": None,
    "optimizer_type": OPTIMIZERS,
    "optimizer_args": None,
    "max_train_epochs": None,
    "max_train_steps": None,
    "train_batch_size": None,
    "save_every_n_epochs": None,
    "save_last_n_epochs": None,
    "save_precision": ("float", "fp16", "bf16"),
    "save_model_as": ("safetensors",),
    "output_dir": None,
    "output_name": None,
    "logging_dir": None,
    "log_prefix": None,
    "seed": None,
    "clip_skip": None,
    "max_token_length": (75, 150, 225),
    "min_snr_gamma": None,
    "prior_loss_weight": (1.0,),
    "mixed_precision": ("no", "fp16", "bf16"),
    "cache_latents": None,
    "sdpa": None,
    "gradient_checkpointing": None,
    "max_grad_norm": None,
    "console_log_simple": (True,),
    "max_data_loader_n_workers": (0, 1, 2),
    "persistent_data_loader_workers": (False,),
    "lowram": (False,),
    "v2": (False,),
    "weighted_captions": (False,),
}
DATASET: Mapping[str, tuple[object, ...] | None] = {
    "resolution": None,
    "batch_size": None,
    "enable_bucket": None,
    "min_bucket_reso": None,
    "max_bucket_reso": None,
    "bucket_reso_steps": None,
    "bucket_no_upscale": (False,),
    "shuffle_caption": None,
    "keep_tokens": None,
    "flip_aug": None,
    "caption_extension": None,
    "num_repeats": None,
    "image_dir": None,
    "class_tokens": None,
    "is_reg": (False,),
}
HONOURED_TRAINING_KEYS = frozenset(TRAINING)
HONOURED_DATASET_KEYS = frozenset(DATASET)


def refusals(values: Mapping[str, object], honoured: Mapping[str, tuple[object, ...] | None], place: str) -> list[str]:
    """Say, one sentence each, which of `values` the engine does not honour."""
    found = []
    for key, value in values.items():
        if key not in honoured:
            found.append(f"{place}: the embedded engine does not honour {key}")
            continue
        allowed = honoured[key]
        if allowed is not None and value not in allowed:
            known = ", ".join(str(each) for each in allowed)
            found.append(f"{place}: the embedded engine does not honour {key} = {value!r} (it knows {known})")
    return found
