"""The base model: loaded from a diffusers folder, and what a training step asks of it."""

import errno
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from lines import log
from transformers.models.clip.modeling_clip import CLIPTextModel
from transformers.models.clip.tokenization_clip import CLIPTokenizer

PARTS = ("unet/config.json", "vae/config.json", "text_encoder/config.json", "tokenizer")
CHUNK = 75
"""Tokens between the start and the end sign of CLIP's window."""


@dataclass
class BaseModel:
    """The parts of a Stable Diffusion model, all frozen, in fp32."""

    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    unet: UNet2DConditionModel
    vae: AutoencoderKL


def load_base(folder: Path) -> BaseModel:
    """Load a diffusers folder in fp32. Raises OSError for a missing part, which diffusers would go and download."""
    log(f"load Diffusers pretrained models: {folder}")
    if not (folder / "model_index.json").is_file():
        raise OSError(f"Error no file named model_index.json found in directory {folder}.")
    for part in PARTS:
        if not (folder / part).exists():
            raise FileNotFoundError(errno.ENOENT, "the base model lacks a part", str(folder / part))
    log("loading u-net")
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    log("loading vae")
    vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)
    log("loading text encoder")
    text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32)
    tokenizer = CLIPTokenizer.from_pretrained(str(folder / "tokenizer"))
    for part in (unet, vae, text_encoder):
        part.requires_grad_(requires_grad=False)
    return BaseModel(tokenizer, text_encoder, unet, vae)


def noise_scheduler() -> DDPMScheduler:
    """Give Stable Diffusion's noise schedule of 1,000 steps."""
    return DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000)


def snr_weights(schedule: DDPMScheduler, timesteps: torch.Tensor, gamma: float) -> torch.Tensor:
    """Give min(SNR, gamma) / SNR for each timestep. Source: Hang et al. 2023, arXiv 2303.09556, epsilon prediction."""
    alphas = schedule.alphas_cumprod.to(timesteps.device)[timesteps]
    snr = alphas / (1 - alphas)
    return torch.clamp(snr, max=gamma) / snr


@torch.no_grad()
def encode_pixels(vae: AutoencoderKL, image: torch.Tensor) -> torch.Tensor:
    """Encode N x 3 x H x W pixels from -1 to 1 into scaled latents, drawn from the encoder's distribution."""
    image = image.to(vae.device)
    return vae.encode(image).latent_dist.sample() * vae.config.scaling_factor


def encode_captions(
    base: BaseModel, captions: list[str], *, max_token_length: int | None, clip_skip: int | None
) -> torch.Tensor:
    """Encode captions into N x tokens x width. Longer ones than CLIP's window are encoded in pieces of 75 tokens.

    max_token_length None: one window. clip_skip counts layers from the end, 1 or None being the last one.
    """
    pieces = 1 if max_token_length is None else max_token_length // CHUNK
    ids = torch.stack([_token_ids(base.tokenizer, caption, pieces) for caption in captions])
    window = CHUNK + 2
    output = base.text_encoder(
        ids.reshape(-1, window).to(base.text_encoder.device), output_hidden_states=True, return_dict=True
    )
    states = output.hidden_states[-(clip_skip or 1)]
    states = base.text_encoder.text_model.final_layer_norm(states).reshape(len(captions), pieces, window, -1)
    if pieces == 1:
        return states[:, 0]
    middle = states[:, :, 1:-1].reshape(len(captions), pieces * CHUNK, -1)
    return torch.cat([states[:, 0, :1], middle, states[:, -1, -1:]], dim=1)


def _token_ids(tokenizer: CLIPTokenizer, caption: str, pieces: int) -> torch.Tensor:
    ids = tokenizer(caption, add_special_tokens=False, truncation=False, verbose=False).input_ids[: pieces * CHUNK]
    start, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    windows = []
    for piece in range(pieces):
        part = ids[piece * CHUNK : (piece + 1) * CHUNK]
        windows.append([start, *part, end, *[end] * (CHUNK - len(part))])
    return torch.tensor(windows)
