"""LoRA files for tests: written by hand, so that any type, any metadata and any damage can be in them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

TYPES = {"float16": "F16", "float32": "F32", "float64": "F64", "int64": "I64"}
MODULE = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
DATASETS = [
    {
        "resolution": [512, 512],
        "batch_size_per_device": 2,
        "subsets": [{"image_dir": "tiger", "num_repeats": 10, "keep_tokens": 1, "shuffle_caption": True}],
    }
]
SAID = {
    "ss_network_module": "networks.lora",
    "ss_network_dim": "4",
    "ss_network_alpha": "2.0",
    "ss_base_model_version": "sd_v1",
    "ss_sd_model_name": "base.safetensors",
    "ss_sd_model_hash": "167e5bcb",
    "ss_new_sd_model_hash": "ab" * 32,
    "ss_output_name": "tiger",
    "ss_steps": "50",
    "ss_epoch": "10",
    "ss_num_epochs": "10",
    "ss_max_train_steps": "50",
    "ss_num_train_images": "10",
    "ss_training_started_at": "100.5",
    "ss_training_finished_at": "160.5",
    "ss_unet_lr": "0.0005",
    "ss_text_encoder_lr": "0.0001",
    "ss_learning_rate": "0.0005",
    "ss_lr_scheduler": "cosine_with_restarts",
    "ss_lr_warmup_steps": "2",
    "ss_optimizer": "bitsandbytes.optim.adamw.AdamW8bit(weight_decay=0.1,betas=(0.9, 0.99))",
    "ss_min_snr_gamma": "5.0",
    "ss_clip_skip": "2",
    "ss_seed": "42",
    "ss_max_token_length": "225",
    "ss_mixed_precision": "fp16",
    "ss_noise_offset": "None",
    "ss_sd_scripts_commit_hash": "48d368fa557731ad0488c07304dfeba8c07910eb",
    "ss_dataset_dirs": json.dumps({"tiger": {"n_repeats": 10, "img_count": 1}}),
    "ss_tag_frequency": json.dumps({"tiger": {"lakto_tiger": 1, "red eyes": 1, "feral": 1}}),
    "ss_datasets": json.dumps(DATASETS),
}
"""What sd-scripts writes for the tutorial's LoRA, in its spelling."""


def lora_of(
    name: str = MODULE, *, rank: int = 4, inputs: int = 768, outputs: int = 8, seed: int = 1
) -> dict[str, Array]:
    """Give the three tensors of one linear module, random and reproducible."""
    draw = np.random.default_rng(seed)
    return {
        f"{name}.lora_down.weight": draw.normal(size=(rank, inputs)).astype("float32"),
        f"{name}.lora_up.weight": draw.normal(size=(outputs, rank)).astype("float32"),
        f"{name}.alpha": np.array(rank / 2, "float32"),
    }


def write_lora(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, Any] | None = None) -> Path:
    """Write a .safetensors file of numpy arrays; metadata goes in as it is, texts or not."""
    raw = {name: (TYPES[str(array.dtype)], array.shape, array.tobytes()) for name, array in tensors.items()}
    return write_raw(path, raw, metadata)


def write_raw(
    path: Path, tensors: Mapping[str, tuple[str, tuple[int, ...], bytes]], metadata: Mapping[str, Any] | None = None
) -> Path:
    """Write a .safetensors file of (type, shape, bytes), which may be anything."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    place = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [place, place + len(data)]}
        place += len(data)
    text = json.dumps(header).encode()
    data = b"".join(data for _, _, data in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path
