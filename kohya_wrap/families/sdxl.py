"""Stable Diffusion XL and what was made from it (Pony, Illustrious, NoobAI, Animagine): two text encoders."""

from kohya_wrap.families.family import Family
from kohya_wrap.families.memory import GIB, ModelSize

_SIZE = ModelSize(
    unet=2_567_463_684,
    text_encoder=123_060_480 + 694_659_840,
    vae=83_653_863,
    lora_unet=2_659_840,
    lora_text_encoder=165_888 + 737_280,
    lora_resnets=58_560,
    lora_conv=355_840,
    kept=1.64 * GIB,
    kept_checkpointed=0.24 * GIB,
    kept_text_encoder=0.5 * GIB,
    attention=0.515 * GIB,
)
"""Parameters of the published configs. Kept bytes counted on the CPU: see families.memory."""

SDXL = Family(
    name="sdxl",
    title="Stable Diffusion XL",
    script="sdxl_train_network.py",
    bucket_step=32,
    default_resolution=1024,
    tokenizers=("openai_clip-vit-large-patch14", "laion_CLIP-ViT-bigG-14-laion2B-39B-b160k"),
    # In 16 bits its VAE gives nan. Source: Lora_Trainer_XL, which sets it without asking.
    fixed_arguments={"no_half_vae": True},
    left_out=("clip_skip", "v2"),
    lora_modules={"text_encoder": 264, "unet": 722, "unet_with_conv": 788},
    size=_SIZE,
)
