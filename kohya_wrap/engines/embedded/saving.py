"""LoRA files: kohya's metadata, its hashes, written whole or not at all."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lines import log
from safetensors.torch import save, save_file
from settings import Settings

if TYPE_CHECKING:
    from data import Dataset

DTYPES = {"float": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, None: torch.float32}
UNSET = {
    "None": (
        "adaptive_noise_scale face_crop_aug_range ip_noise_gamma max_validation_steps multires_noise_iterations "
        "network_dropout noise_offset resize_interpolation scale_weight_norms training_comment "
        "validate_every_n_epochs validate_every_n_steps validation_seed"
    ),
    "False": (
        "debiased_estimation fp8_base fp8_base_unet full_fp16 ip_noise_gamma_random_strength "
        "lowram noise_offset_random_strength v2 zero_terminal_snr"
    ),
    "0": "caption_dropout_every_n_epochs num_reg_images num_validation_images",
    "0.0": "caption_dropout_rate caption_tag_dropout_rate validation_split",
}
"""Metadata of options that this engine does not have, with the value that sd-scripts writes where they are not used."""


def job_metadata(
    settings: Settings, datasets: Sequence["Dataset"], *, batches: int, epochs: int, steps: int, started: float
) -> dict[str, str]:
    """Give the metadata that is the same for every file of a training, every value as text."""
    get = settings.get
    base = Path(get("pretrained_model_name_or_path"))
    known: dict[str, Any] = {
        "session_id": int(started * 1000) % 2**32,
        "training_started_at": started,
        "output_name": get("output_name"),
        "learning_rate": get("learning_rate"),
        "text_encoder_lr": 0.0 if get("network_train_unet_only") else get("text_encoder_lr"),
        "unet_lr": get("unet_lr"),
        "num_train_images": sum(dataset.num_train_images for dataset in datasets),
        "num_batches_per_epoch": batches,
        "num_epochs": epochs,
        "gradient_accumulation_steps": 1,
        "max_train_steps": steps,
        "lr_warmup_steps": get("lr_warmup_steps", 0),
        "lr_scheduler": get("lr_scheduler", "constant"),
        "network_module": get("network_module"),
        "network_dim": get("network_dim"),
        "network_alpha": get("network_alpha"),
        "mixed_precision": get("mixed_precision", "no"),
        "base_model_version": "sd_v1",
        "clip_skip": get("clip_skip"),
        "max_token_length": get("max_token_length"),
        "cache_latents": get("cache_latents", False),
        "gradient_checkpointing": get("gradient_checkpointing", False),
        "seed": settings.seed,
        "multires_noise_discount": 0.3,
        "sd_scripts_commit_hash": "embedded",
        "optimizer": _optimizer(get("optimizer_type", "AdamW"), get("optimizer_args", [])),
        "max_grad_norm": get("max_grad_norm", 1.0),
        "prior_loss_weight": get("prior_loss_weight", 1.0),
        "min_snr_gamma": get("min_snr_gamma"),
        "loss_type": "l2",
        "huber_schedule": "snr",
        "huber_scale": 1.0,
        "huber_c": 0.1,
        "datasets": json.dumps([_dataset(dataset) for dataset in datasets]),
        # A folder that several datasets use is counted once, as the first has it.
        "tag_frequency": json.dumps({k: v for each in reversed(datasets) for k, v in each.tag_frequency().items()}),
        "dataset_dirs": json.dumps(_folders(datasets)),
        "sd_model_hash": "IsADirectory",
        "new_sd_model_hash": "IsADirectory",
        "sd_model_name": base.name,
    }
    unset = {name: value for value, names in UNSET.items() for name in names.split()}
    return {f"ss_{name}": str(value) for name, value in {**unset, **known}.items()}


def _optimizer(name: str, arguments: Sequence[str]) -> str:
    kind = getattr(torch.optim, name)
    return f"{kind.__module__}.{name}" + (f"({','.join(arguments)})" if arguments else "")


def _folders(datasets: Sequence["Dataset"]) -> dict[str, dict[str, int]]:
    folders: dict[str, dict[str, int]] = {}
    for dataset in datasets:
        for subset in dataset.subsets:
            name = subset.image_dir.name
            same = sum(other == name or other.startswith(f"{name} (") for other in folders)
            count = sum(item.subset is subset for item in dataset.items)
            folders[f"{name} ({same + 1})" if same else name] = {"n_repeats": subset.num_repeats, "img_count": count}
    return folders


def _dataset(dataset: "Dataset") -> dict[str, Any]:
    settings = dataset.settings
    buckets = [{"resolution": list(size), "count": len(items)} for size, items in dataset.buckets().items()]
    return {
        "is_dreambooth": True,
        "batch_size_per_device": settings.batch_size,
        "num_train_images": dataset.num_train_images,
        "num_reg_images": 0,
        "resolution": list(settings.resolution),
        "enable_bucket": settings.enable_bucket,
        "min_bucket_reso": settings.min_bucket_reso,
        "max_bucket_reso": settings.max_bucket_reso,
        "tag_frequency": dataset.tag_frequency(),
        "bucket_info": {"buckets": {str(index): bucket for index, bucket in enumerate(buckets)}},
        "subsets": [
            {
                "img_count": sum(item.subset is subset for item in dataset.items),
                "num_repeats": subset.num_repeats,
                "flip_aug": subset.flip_aug,
                "shuffle_caption": subset.shuffle_caption,
                "keep_tokens": subset.keep_tokens,
                "image_dir": subset.image_dir.name,
                "class_tokens": subset.class_tokens,
                "is_reg": False,
            }
            for subset in dataset.subsets
        ],
    }


def save_lora(
    file: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str], *, steps: int, epoch: int, title: str
) -> None:
    """Write one LoRA under a temporary name, then rename it. `steps` and `epoch`: how far the training was.

    The line that names it comes when it is there, so that whoever stops the training after the line finds it whole.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    known = {
        **metadata,
        "ss_training_finished_at": str(time.time()),
        "ss_steps": str(steps),
        "ss_epoch": str(epoch),
    }
    model_hash, legacy_hash = kohya_hashes(tensors, known)
    hashes = {"sshs_model_hash": model_hash, "sshs_legacy_hash": legacy_hash}
    part = file.with_name(f".{file.name}.part")
    try:
        save_file(tensors, part, {**known, **hashes, **_model_spec(title, metadata["ss_clip_skip"])})
        with part.open("rb") as saved:
            os.fsync(saved.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    log(f"\nsaving checkpoint: {file}")


def kohya_hashes(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> tuple[str, str]:
    """Give kohya's two hashes: SHA256 of the tensor bytes, and the WebUI's short one of bytes 1 to 1.06 MiB.

    Both are taken of the file as it would be with its ss_ metadata alone.
    """
    data = save(tensors, metadata)
    header = 8 + int.from_bytes(data[:8], "little")
    legacy = hashlib.sha256(data[0x100000 : 0x100000 + 0x10000]).hexdigest()[:8]
    return hashlib.sha256(data[header:]).hexdigest(), legacy


def _model_spec(title: str, clip_skip: str) -> dict[str, str]:
    spec = {
        "sai_model_spec": "1.0.1",
        "architecture": "stable-diffusion-v1/lora",
        "implementation": "diffusers",
        "implementation_version": "kohya-wrap/embedded",
        "title": title,
        "date": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "resolution": "512x512",
        "prediction_type": "epsilon",
        "encoder_layer": clip_skip,
    }
    return {f"modelspec.{key}": value for key, value in spec.items()}
