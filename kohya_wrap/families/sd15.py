"""Stable Diffusion 1.x and 2.x: one U-Net shape, one text encoder."""

from dataclasses import replace

from kohya_wrap.families.family import Family
from kohya_wrap.families.memory import GIB, ModelSize

_SIZE = ModelSize(
    unet=859_520_964,
    text_encoder=123_060_480,
    vae=83_653_863,
    lora_unet=423_936,
    lora_text_encoder=165_888,
    lora_resnets=82_880,
    lora_conv=544_000,
    kept=0.893 * GIB,
    kept_checkpointed=0.25 * GIB,
    kept_text_encoder=0.1 * GIB,
    attention=1.424 * GIB,
)
"""Parameters of the published configs. Kept bytes counted on the CPU: see families.memory."""

SD15 = Family(
    name="sd15",
    title="Stable Diffusion 1.x",
    script="train_network.py",
    bucket_step=64,
    default_resolution=512,
    tokenizers=("openai_clip-vit-large-patch14",),
    lora_modules={"text_encoder": 72, "unet": 192, "unet_with_conv": 278},
    size=_SIZE,
)

SD2 = Family(
    name="sd2",
    title="Stable Diffusion 2.x",
    script="train_network.py",
    bucket_step=64,
    default_resolution=768,
    tokenizers=("stabilityai_stable-diffusion-2",),
    fixed_arguments={"v2": True},
    # Another text encoder, of 23 layers 1024 wide; the U-Net differs in its attention to captions alone.
    size=replace(
        _SIZE, unet=865_910_724, text_encoder=340_387_840, lora_text_encoder=423_936, kept_text_encoder=0.3 * GIB
    ),
)
