"""Stable Diffusion in one .safetensors, in the names of the original code, without any configuration from a network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from lines import Refused
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel

PROBE = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
FAMILIES = {768: "sd15", 1024: "sd2"}
"""How wide the captions are that the U-Net reads -> family."""
TEXT_PREFIX = "cond_stage_model.transformer."

UNET = {
    "sd15": {"cross_attention_dim": 768, "attention_head_dim": 8, "sample_size": 64},
    "sd2": {
        "cross_attention_dim": 1024,
        "attention_head_dim": [5, 10, 20, 20],
        "use_linear_projection": True,
        "upcast_attention": True,
        "sample_size": 96,
    },
}
VAE = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "sample_size": 512,
}
TEXT = {
    "sd15": {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "hidden_act": "quick_gelu",
        "projection_dim": 768,
    },
    "sd2": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 23,
        "num_attention_heads": 16,
        "hidden_act": "gelu",
        "projection_dim": 512,
    },
}
"""What differs from the classes' own defaults. Source: the configs published with the models."""


@dataclass
class Parts:
    """What a single file holds."""

    family: str
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel


def load_single_file(path: Path, dtype: torch.dtype) -> Parts:
    """Load a checkpoint of SD 1.x or 2.x. Raises Refused for another family, or a file that is not whole."""
    tensors = {_usual(name): tensor for name, tensor in _read(path, "the base model").items()}
    family = FAMILIES.get(tensors[PROBE].shape[-1]) if PROBE in tensors else None
    if family is None:
        what = "this single file is no Stable Diffusion 1.x or 2.x"
        raise Refused((what, str(path), "give a base model of the family that the preset trains"))
    unet = _built(
        lambda: UNet2DConditionModel.from_config(UNET[family]),
        lambda model: convert_ldm_unet_checkpoint(tensors, {**model.config}),
        (path, dtype),
    )
    vae = _built(_new_vae, lambda model: convert_ldm_vae_checkpoint(tensors, model.config), (path, dtype))
    text = _built(
        lambda: CLIPTextModel(CLIPTextConfig(**TEXT[family])),
        lambda model: (
            convert_ldm_clip_checkpoint(tensors)
            if family == "sd15"
            else convert_open_clip_checkpoint(model, tensors, prefix="cond_stage_model.model.")
        ),
        (path, dtype),
    )
    return Parts(family, unet, vae, text)


def load_vae_file(path: Path, dtype: torch.dtype) -> AutoencoderKL:
    """Load a VAE of one file, in the original names or in diffusers'. Raises Refused."""
    tensors = _read(path, "the VAE")
    if "encoder.down_blocks.0.resnets.0.conv1.weight" in tensors:
        return _built(_new_vae, lambda _: tensors, (path, dtype))
    return _built(_new_vae, lambda model: convert_ldm_vae_checkpoint(tensors, model.config), (path, dtype))


def _new_vae() -> AutoencoderKL:
    return AutoencoderKL.from_config(VAE)


def _read(path: Path, what: str) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        said = f"{what} is not a whole .safetensors file: {error}"
        raise Refused((said, str(path), "fetch it again, or give it as .safetensors")) from error


def _usual(name: str) -> str:
    """Give a name as most have it: models that descend from NovelAI's lack one level in the text encoder's."""
    if name.startswith(TEXT_PREFIX) and not name.startswith(f"{TEXT_PREFIX}text_"):
        return f"{TEXT_PREFIX}text_model.{name.removeprefix(TEXT_PREFIX)}"
    return name


def _built(
    new: Callable[[], Any], convert: Callable[[Any], Mapping[str, torch.Tensor]], given: tuple[Path, torch.dtype]
) -> Any:
    """Build a part without random numbers and put the file's into it; what else the file holds is left alone."""
    path, dtype = given
    with init_empty_weights(include_buffers=False):
        model = new()
    todo = "give another base model, or a diffusers folder of this one"
    try:
        weights = {name: weight.to(dtype) for name, weight in convert(model).items()}
        missing, _ = model.load_state_dict(weights, assign=True, strict=False)
    except (KeyError, RuntimeError) as error:
        said = " ".join(str(error).strip().splitlines()[:2])[:300]
        raise Refused((f"its {type(model).__name__} cannot be read: {said}", str(path), todo)) from error
    if missing:
        what = f"its {type(model).__name__} lacks {len(missing)} of its weights, {missing[0]} for one"
        raise Refused((what, str(path), todo))
    return model
