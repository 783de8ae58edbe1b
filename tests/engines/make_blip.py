"""A BLIP model of a few thousand random numbers, as transformers saves it. Run by the engine's python: FOLDER."""

import sys
from pathlib import Path

import torch
from transformers import (
    BertTokenizerFast,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipTextConfig,
    BlipVisionConfig,
)

WORDS = ["a", "tiger", "wolf", "with", "red", "blue", "eyes", "on", "green", "grass"]


def main(folder: Path) -> None:
    """Write it."""
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", *WORDS]) + "\n")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), additional_special_tokens=["[DEC]"])
    torch.manual_seed(1)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = BlipTextConfig(
        vocab_size=16, encoder_hidden_size=16, max_position_embeddings=64, bos_token_id=5, sep_token_id=3, **small
    )
    vision = BlipVisionConfig(image_size=32, patch_size=16, **small)
    model = BlipForConditionalGeneration(
        BlipConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=16)
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    BlipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


main(Path(sys.argv[1]))
