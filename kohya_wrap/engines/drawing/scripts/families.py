"""What differs from one family of base models to another, as data. Plain Python, no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TextKind:
    """A text encoder of a family: where its weights lie, and how prompts are read with it.

    `config`, `open_clip`: of a single file; the latter begins OpenCLIP's names, and is empty for CLIP's. `pad`: the
    token that fills a window; None: the tokenizer's. `penultimate`: the layer before the last is read as it is,
    whatever clip skip says; else clip skip's, through the last norm. `pooled`: gives a summary of the prompt, too.
    `lora`: how its modules begin in a LoRA. `embedding`: its tensor in a textual inversion.
    """

    config: Mapping[str, Any]
    folder: str = "text_encoder"
    open_clip: str = ""
    pad: int | None = None
    penultimate: bool = False
    pooled: bool = False
    lora: str = "lora_te_"
    embedding: str = "emb_params"


@dataclass(frozen=True)
class Family:
    """A family of base models; its configs are what differs from diffusers' classes' own defaults.

    `tokenizer`: its folder beside a single file; all text encoders read the same tokens. `original_names`: LoRAs name
    the U-Net's modules as the original code does. `loras_beside`: LoRAs are not put into the weights, of which no
    second copy would fit into memory. `zero_empty`: an empty negative prompt is zeros. Source: A1111, sd_models_xl.
    """

    unet: Mapping[str, Any]
    vae: Mapping[str, Any]
    texts: Sequence[TextKind]
    tokenizer: str = "openai_clip-vit-large-patch14"
    predicts_v: bool = False
    half_vae: bool = True
    original_names: bool = False
    loras_beside: bool = False
    zero_empty: bool = False


_VAE = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "sample_size": 512,
}
_CLIP_L = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "hidden_act": "quick_gelu",
    "projection_dim": 768,
}
_CLIP_H = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "hidden_act": "gelu",
    "projection_dim": 512,
}
_CLIP_G = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "hidden_act": "gelu",
    "projection_dim": 1280,
}
_SDXL_UNET = {
    "cross_attention_dim": 2048,
    "attention_head_dim": [5, 10, 20],
    "block_out_channels": [320, 640, 1280],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "transformer_layers_per_block": [1, 2, 10],
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "sample_size": 128,
}

SD15 = Family(
    unet={"cross_attention_dim": 768, "attention_head_dim": 8, "sample_size": 64},
    vae=_VAE,
    texts=(TextKind(_CLIP_L),),
)
SD2 = Family(
    unet={
        "cross_attention_dim": 1024,
        "attention_head_dim": [5, 10, 20, 20],
        "use_linear_projection": True,
        "upcast_attention": True,
        "sample_size": 96,
    },
    vae=_VAE,
    texts=(TextKind(_CLIP_H, open_clip="cond_stage_model.model."),),
    tokenizer="stabilityai_stable-diffusion-2",
    predicts_v=True,
)
SDXL = Family(
    unet=_SDXL_UNET,
    vae={**_VAE, "sample_size": 1024, "scaling_factor": 0.13025},
    texts=(
        TextKind(_CLIP_L, penultimate=True, lora="lora_te1_", embedding="clip_l"),
        TextKind(
            _CLIP_G,
            folder="text_encoder_2",
            open_clip="conditioner.embedders.1.model.",
            pad=0,
            penultimate=True,
            pooled=True,
            lora="lora_te2_",
            embedding="clip_g",
        ),
    ),
    half_vae=False,  # in fp16 it gives NaN
    original_names=True,
    loras_beside=True,
    zero_empty=True,
)
"""Source: the configs published with the models; A1111, which reads both text encoders so and leaves clip skip out."""

FAMILIES = {768: SD15, 1024: SD2, 2048: SDXL}
"""How wide the captions are that the U-Net reads -> family."""
