"""A base model in one .safetensors, in the names of the original code, without any configuration from a network."""

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
from encoders import TextEncoder
from families import FAMILIES, SD15, Family, TextKind
from lines import Refused
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection

PROBE = "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"
"""Where attention to the caption is in all families; how wide it is tells which."""
TEXT_PREFIX = "cond_stage_model.transformer."


@dataclass
class Parts:
    """What a single file holds. `marked`: which of v_pred and ztsnr it says of itself. Source: ComfyUI."""

    family: Family
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    texts: tuple[TextEncoder, ...]
    marked: frozenset[str]


def load_single_file(path: Path, dtype: torch.dtype) -> Parts:
    """Load a checkpoint. Raises Refused for a family that is not known, or a file that is not whole."""
    tensors = {_usual(name): tensor for name, tensor in _read(path, "the base model").items()}
    family = FAMILIES.get(tensors[PROBE].shape[-1]) if PROBE in tensors else None
    if family is None:
        what = "this single file is no Stable Diffusion 1.x, 2.x or XL"
        raise Refused((what, str(path), "give a base model of the family that the preset trains"))
    unet = _built(
        lambda: UNet2DConditionModel.from_config({**family.unet}),
        lambda model: convert_ldm_unet_checkpoint(tensors, {**model.config}),
        (path, dtype),
    )
    vae = _built(
        lambda: _new_vae(family),
        lambda model: convert_ldm_vae_checkpoint(tensors, model.config),
        (path, dtype if family.half_vae else torch.float32),
    )
    texts = tuple(TextEncoder(kind, _text_model(kind, tensors, (path, dtype))) for kind in family.texts)
    return Parts(family, unet, vae, texts, frozenset({"v_pred", "ztsnr"} & tensors.keys()))


def load_vae_file(path: Path, dtype: torch.dtype, family: Family = SD15) -> AutoencoderKL:
    """Load a VAE of one file, in the original names or in diffusers'. Raises Refused."""
    tensors = _read(path, "the VAE")
    if "encoder.down_blocks.0.resnets.0.conv1.weight" in tensors:
        return _built(lambda: _new_vae(family), lambda _: tensors, (path, dtype))
    return _built(
        lambda: _new_vae(family), lambda model: convert_ldm_vae_checkpoint(tensors, model.config), (path, dtype)
    )


def _new_vae(family: Family) -> AutoencoderKL:
    return AutoencoderKL.from_config({**family.vae})


def _text_model(kind: TextKind, tensors: Mapping[str, torch.Tensor], given: tuple[Path, torch.dtype]) -> CLIPTextModel:
    new = CLIPTextModelWithProjection if kind.pooled else CLIPTextModel
    return _built(
        lambda: new(CLIPTextConfig(**kind.config)),
        lambda model: (
            convert_open_clip_checkpoint(model, tensors, prefix=kind.open_clip)
            if kind.open_clip
            else convert_ldm_clip_checkpoint(tensors)
        ),
        given,
    )


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
