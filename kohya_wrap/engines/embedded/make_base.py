"""Makes the toy base model: every part of Stable Diffusion 1.x with random weights, a few MB, the same every time."""

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel
from transformers.models.clip.tokenization_clip import CLIPTokenizer

WIDTH = 32
START, END = "<|startoftext|>", "<|endoftext|>"


def byte_characters() -> list[str]:
    """Give the 256 printable characters that byte-level BPE writes bytes as (Radford et al. 2019, GPT-2)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]


def make_tokenizer(folder: Path) -> CLIPTokenizer:
    """Write a tokenizer that knows single bytes only; any text can be written with it."""
    folder.mkdir(parents=True)
    characters = byte_characters()
    tokens = [*characters, *(f"{character}</w>" for character in characters), START, END]
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)
    tokenizer.save_pretrained(folder)
    return tokenizer


def make_base(out: Path, seed: int) -> None:
    """Write the whole model into `out`, which must not exist yet."""
    tokenizer = make_tokenizer(out / "tokenizer")
    torch.manual_seed(seed)
    text_config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=77,
        projection_dim=WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
    )
    CLIPTextModel(text_config).save_pretrained(out / "text_encoder")
    UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(WIDTH, 2 * WIDTH),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
    ).save_pretrained(out / "unet")
    AutoencoderKL(
        block_out_channels=(8, 16, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=64,
    ).save_pretrained(out / "vae")
    DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").save_pretrained(out / "scheduler")
    (out / "model_index.json").write_text(json.dumps(INDEX, indent=2) + "\n")


INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.32.1",
    "feature_extractor": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DDPMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def main() -> None:
    """Write to a temporary folder, then rename it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    part = arguments.out.with_name(f".{arguments.out.name}.making")
    shutil.rmtree(part, ignore_errors=True)
    make_base(part, arguments.seed)
    part.replace(arguments.out)


if __name__ == "__main__":
    main()
