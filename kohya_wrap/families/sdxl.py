"""Stable Diffusion XL and what was made from it (Pony, Illustrious, NoobAI, Animagine): two text encoders."""

from kohya_wrap.families.family import Family

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
    lora_modules={"text_encoder": 264, "unet": 722},
)
