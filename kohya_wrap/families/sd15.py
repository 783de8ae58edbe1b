"""Stable Diffusion 1.x and 2.x: one U-Net shape, one text encoder."""

from kohya_wrap.families.family import Family

SD15 = Family(
    name="sd15",
    title="Stable Diffusion 1.x",
    script="train_network.py",
    bucket_step=64,
    default_resolution=512,
    tokenizers=("openai_clip-vit-large-patch14",),
    lora_modules={"text_encoder": 72, "unet": 192, "unet_with_conv": 278},
)

SD2 = Family(
    name="sd2",
    title="Stable Diffusion 2.x",
    script="train_network.py",
    bucket_step=64,
    default_resolution=768,
    tokenizers=("stabilityai_stable-diffusion-2",),
    fixed_arguments={"v2": True},
)
