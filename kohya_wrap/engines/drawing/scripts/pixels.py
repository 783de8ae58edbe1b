"""From latents to a PNG: decoding, the text chunk of A1111, a file that is whole or not there."""

from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from PIL import Image
from PIL.PngImagePlugin import PngInfo

TILE = 64
"""Side of a tile, in latents."""


def decode(vae: AutoencoderKL, latents: torch.Tensor, notes: list[str]) -> Image.Image:
    """Decode 1 x 4 x height x width latents. A VAE that gives NaN in fp16 goes on in fp32. Source: A1111 does so.

    Where a GPU's memory runs out it goes on in tiles: SDXL's, in fp32, may want more than its U-Net. Source: ComfyUI.
    """
    try:
        pixels = _decoded(vae, latents)
    except torch.OutOfMemoryError:
        notes.append("the GPU's memory ran out in the VAE, which decodes in tiles from here on")
        vae.enable_tiling()
        vae.tile_latent_min_size, vae.tile_sample_min_size = TILE, TILE * 2 ** (len(vae.config.block_out_channels) - 1)
        pixels = _decoded(vae, latents)
    if vae.dtype != torch.float32 and not bool(pixels.isfinite().all()):
        notes.append("the VAE gave NaN in fp16, and decodes in fp32 from here on")
        vae.to(torch.float32)
        pixels = _decoded(vae, latents)
    pixels = ((pixels[0].float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


def _decoded(vae: AutoencoderKL, latents: torch.Tensor) -> torch.Tensor:
    return vae.decode((latents / vae.config.scaling_factor).to(vae.dtype), return_dict=False)[0]


def write_png(image: Image.Image, target: Path, parameters: str) -> None:
    """Write the picture with its `parameters`, under a temporary name first. Raises OSError."""
    info = PngInfo()
    if parameters:
        # As A1111 has it: tEXt, and iTXt where Latin-1 does not hold it.
        info.add_text("parameters", parameters)
    temporary = target.with_name(f".{target.name}.part")
    try:
        image.save(temporary, format="PNG", pnginfo=info)
        temporary.replace(target)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
