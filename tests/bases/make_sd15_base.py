"""Makes a base model of Stable Diffusion 1.5's size out of random numbers, and the tokenizer folder that goes with it.

Run by the engine's python: make_sd15_base.py BASE TOKENIZERS. 2 GB in diffusers' format, fp16, in about 20 s.
"""

import json
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

START, END = 49406, 49407


def make_tokenizer(folder: Path) -> CLIPTokenizer:
    """Write a CLIP tokenizer that knows single bytes only, with the real start and end."""
    folder.mkdir(parents=True)
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]
    tokens = [*characters, *(f"{character}</w>" for character in characters)]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    vocabulary |= {"<|startoftext|>": START, "<|endoftext|>": END}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)
    tokenizer.save_pretrained(folder)
    return tokenizer


def main(base: Path, tokenizers: Path) -> None:
    """Write both folders."""
    torch.manual_seed(0)
    text = CLIPTextConfig(
        vocab_size=END + 1,
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        hidden_act="quick_gelu",
        projection_dim=768,
        bos_token_id=START,
        eos_token_id=END,
    )
    vae = AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=[128, 256, 512, 512],
        layers_per_block=2,
        sample_size=512,
    )
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text),
        tokenizer=make_tokenizer(tokenizers / "openai_clip-vit-large-patch14"),
        unet=UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8),
        scheduler=PNDMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).to(torch.float16).save_pretrained(base)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
