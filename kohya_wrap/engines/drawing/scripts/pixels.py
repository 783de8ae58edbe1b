"""From latents to a PNG: decoding, the text chunk of A1111, a file that is whole or not there."""

from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from PIL import Image
from PIL.PngImagePlugin import PngInfo


def decode(vae: AutoencoderKL, latents: torch.Tensor, notes: list[str]) -> Image.Image:
    """Decode 1 x 4 x height x width latents. A VAE that gives NaN in fp16 goes on in fp32. Source: A1111 does so."""
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
