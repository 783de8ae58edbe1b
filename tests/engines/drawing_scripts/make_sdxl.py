"""Makes a toy of SDXL: every part with random weights, a diffusers folder and the single file of the same weights."""

import re
from dataclasses import replace
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from families import FAMILIES, SDXL
from make_base import END, START, make_tokenizer
from original_names import original_names
from safetensors.torch import save_file
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection

TEXT = {"num_hidden_layers": 3, "num_attention_heads": 2, "vocab_size": 514, "bos_token_id": 512, "eos_token_id": 513}
TEXTS = tuple(
    {**TEXT, "hidden_size": width, "intermediate_size": 2 * width, "projection_dim": width, "hidden_act": act}
    for width, act in ((32, "quick_gelu"), (48, "gelu"))
)
UNET = {
    **SDXL.unet,
    "cross_attention_dim": 32 + 48,
    "attention_head_dim": [2, 4, 4],
    "block_out_channels": [32, 64, 64],
    "transformer_layers_per_block": [1, 1, 2],
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 48 + 6 * 8,
    "sample_size": 8,
}
VAE = {**SDXL.vae, "block_out_channels": [8, 16, 16, 16], "norm_num_groups": 4, "layers_per_block": 1}
TINY = replace(
    SDXL,
    unet=UNET,
    vae=VAE,
    texts=tuple(replace(kind, config=config) for kind, config in zip(SDXL.texts, TEXTS, strict=True)),
)
_OPEN_CLIP = (
    ("text_model.encoder.layers.", "transformer.resblocks."),
    ("text_model.final_layer_norm", "ln_final"),
    ("text_model.embeddings.token_embedding", "token_embedding"),
    ("layer_norm1", "ln_1"),
    ("layer_norm2", "ln_2"),
    ("self_attn.out_proj", "attn.out_proj"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
)
_VAE = (
    (r"(en|de)coder\.mid_block\.resnets\.0", r"\1coder.mid.block_1"),
    (r"(en|de)coder\.mid_block\.resnets\.1", r"\1coder.mid.block_2"),
    (r"(en|de)coder\.mid_block\.attentions\.0", r"\1coder.mid.attn_1"),
    (r"down_blocks\.(\d)\.resnets", r"down.\1.block"),
    (r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample"),
    (r"up_blocks\.(\d)\.resnets", lambda found: f"up.{3 - int(found[1])}.block"),
    (r"up_blocks\.(\d)\.upsamplers\.0", lambda found: f"up.{3 - int(found[1])}.upsample"),
    ("conv_shortcut", "nin_shortcut"),
    ("conv_norm_out", "norm_out"),
    ("group_norm", "norm"),
    (r"to_(q|k|v)\.", r"\1."),
    (r"to_out\.0", "proj_out"),
)


def make_sdxl(folder: Path, file: Path, tokenizers: Path) -> None:
    """Write the folder, the single file and its tokenizer, and make the family known by its width."""
    torch.manual_seed(3)
    first = CLIPTextModel(CLIPTextConfig(**TEXTS[0]))
    second = CLIPTextModelWithProjection(CLIPTextConfig(**TEXTS[1]))
    unet, vae = UNet2DConditionModel.from_config(UNET), AutoencoderKL.from_config(VAE)
    for name, part in (("text_encoder", first), ("text_encoder_2", second), ("unet", unet), ("vae", vae)):
        part.save_pretrained(folder / name)
    tokenizer = make_tokenizer(folder / "tokenizer")
    assert (tokenizer.bos_token, tokenizer.eos_token) == (START, END)
    tokenizer.save_pretrained(tokenizers / SDXL.tokenizer)
    DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").save_pretrained(
        folder / "scheduler"
    )
    FAMILIES[UNET["cross_attention_dim"]] = TINY
    names = original_names((name for name, _ in unet.named_modules()), 2)
    tensors = {f"model.diffusion_model.{_renamed(key, names)}": value for key, value in unet.state_dict().items()}
    tensors |= {f"first_stage_model.{key}": value for key, value in _original_vae(vae).items()}
    tensors |= {f"conditioner.embedders.0.transformer.{key}": value for key, value in first.state_dict().items()}
    tensors |= {f"conditioner.embedders.1.model.{key}": value for key, value in _open_clip(second).items()}
    save_file({key: value.clone().contiguous() for key, value in tensors.items()}, file)


def _renamed(key: str, names: dict[str, str]) -> str:
    """Give a weight's name by that of the nearest module that has another."""
    parts = key.split(".")
    for length in range(len(parts) - 1, 0, -1):
        found = names.get(".".join(parts[:length]))
        if found:
            return ".".join((found, *parts[length:]))
    return key


def _original_vae(vae: AutoencoderKL) -> dict[str, torch.Tensor]:
    found = {}
    for key, value in vae.state_dict().items():
        name = key
        for pattern, new in _VAE:
            name = re.sub(pattern, new, name)
        conv = "mid.attn_1" in name and value.ndim == 2
        found[name] = value[:, :, None, None] if conv else value
    return found


def _open_clip(model: CLIPTextModelWithProjection) -> dict[str, torch.Tensor]:
    state = model.state_dict()
    found = {
        "positional_embedding": state.pop("text_model.embeddings.position_embedding.weight"),
        "text_projection": state.pop("text_projection.weight").T,
    }
    for layer in range(TEXT["num_hidden_layers"]):
        for end in ("weight", "bias"):
            start = f"text_model.encoder.layers.{layer}.self_attn"
            parts = [state.pop(f"{start}.{which}_proj.{end}") for which in "qkv"]
            found[f"transformer.resblocks.{layer}.attn.in_proj_{end}"] = torch.cat(parts)
    for key, value in state.items():
        name = key
        for old, new in _OPEN_CLIP:
            name = name.replace(old, new)
        found[name] = value
    return found
