"""The base model: loaded once, from a diffusers folder or a single file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from encoders import TextEncoder
from families import SD15, SDXL, Family, TextKind
from lines import Refused
from sigmas import Noise, zero_snr
from single_file import load_single_file, load_vae_file
from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection
from transformers.models.clip.tokenization_clip import CLIPTokenizer

PARTS = ("unet/config.json", "vae/config.json", "text_encoder/config.json", "tokenizer")


@dataclass
class Base:
    """The parts of a Stable Diffusion model. `predicts_v`: the U-Net guesses v and not the noise."""

    family: Family
    tokenizer: CLIPTokenizer
    texts: tuple[TextEncoder, ...]
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    noise: Noise
    predicts_v: bool


def load_base(job: dict[str, Any], device: str, dtype: torch.dtype) -> Base:
    """Load the job's base model and VAE. Raises Refused where it is of another family, or not whole."""
    path = Path(job["base"])
    base = _load_folder(path, dtype) if path.is_dir() else _load_file(path, job["tokenizers"], dtype)
    if job["vae"]:
        base.vae = _load_vae(Path(job["vae"]), dtype, base.family)
    if job["v_prediction"] is not None:
        base.predicts_v = job["v_prediction"]
    if job["zero_terminal_snr"]:
        base.noise = Noise(zero_snr(_alphas({})))
    for part in (base.unet, base.vae, *(text.model for text in base.texts)):
        part.requires_grad_(requires_grad=False)
        part.eval().to(device)
    return base


def _load_folder(folder: Path, dtype: torch.dtype) -> Base:
    family = SDXL if (folder / "text_encoder_2").exists() else SD15
    texts = [f"{kind.folder}/config.json" for kind in family.texts]
    missing = [part for part in (*PARTS, *texts) if not (folder / part).exists()]
    if missing:
        what = f"this is no Stable Diffusion 1.x, 2.x or XL: it lacks {missing[0]}"
        raise Refused((what, str(folder), "give another base model"))
    settings = _read_json(folder / "scheduler" / "scheduler_config.json")
    alphas = _alphas(settings)
    return Base(
        family=family,
        tokenizer=CLIPTokenizer.from_pretrained(str(folder / "tokenizer"), local_files_only=True),
        texts=tuple(_pretrained_text(kind, folder, dtype) for kind in family.texts),
        unet=_pretrained(UNet2DConditionModel, folder / "unet", dtype),
        vae=_load_vae(folder / "vae", dtype, family),
        noise=Noise(zero_snr(alphas) if settings.get("rescale_betas_zero_snr") else alphas),
        predicts_v=settings.get("prediction_type") == "v_prediction",
    )


def _pretrained_text(kind: TextKind, folder: Path, dtype: torch.dtype) -> TextEncoder:
    model = CLIPTextModelWithProjection if kind.pooled else CLIPTextModel
    return TextEncoder(kind, _pretrained(model, folder / kind.folder, dtype))


def _pretrained(kind: type, folder: Path, dtype: torch.dtype) -> Any:
    return kind.from_pretrained(folder, torch_dtype=dtype, local_files_only=True)


def _load_file(path: Path, tokenizers: str | None, dtype: torch.dtype) -> Base:
    parts = load_single_file(path, dtype)
    folder = Path(tokenizers or "") / parts.family.tokenizer
    if not tokenizers or not folder.is_dir():
        what = f"the tokenizer {parts.family.tokenizer}, which a single file does not hold, is not there"
        raise Refused((what, str(folder) if tokenizers else "", "fetch the tokenizers first"))
    alphas = _alphas({})
    return Base(
        family=parts.family,
        tokenizer=CLIPTokenizer.from_pretrained(str(folder), local_files_only=True),
        texts=parts.texts,
        unet=parts.unet,
        vae=parts.vae,
        noise=Noise(zero_snr(alphas) if {"v_pred", "ztsnr"} <= parts.marked else alphas),
        predicts_v=parts.family.predicts_v or "v_pred" in parts.marked,
    )


def _load_vae(path: Path, dtype: torch.dtype, family: Family) -> AutoencoderKL:
    dtype = dtype if family.half_vae else torch.float32
    if not path.is_dir():
        return load_vae_file(path, dtype, family)
    folder = path if (path / "config.json").is_file() else path / "vae"
    return _pretrained(AutoencoderKL, folder, dtype)


def _alphas(settings: dict[str, Any]) -> torch.Tensor:
    """Give the 1,000 products of alphas; where nothing is said Stable Diffusion's own."""
    start, end = settings.get("beta_start", 0.00085), settings.get("beta_end", 0.012)
    count = settings.get("num_train_timesteps", 1000)
    if settings.get("beta_schedule", "scaled_linear") == "linear":
        betas = torch.linspace(start, end, count, dtype=torch.float64)
    else:
        betas = torch.linspace(start**0.5, end**0.5, count, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0)


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
