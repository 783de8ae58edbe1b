"""The base models that the notebook offers by name.

Source: Lora_Trainer, training_model; the hashes are those of the files' Git LFS entries.
"""

from dataclasses import dataclass

_GUIDE = "https://huggingface.co/hollowstrawberry/stable-diffusion-guide/resolve/main/models"


@dataclass(frozen=True, slots=True)
class NamedModel:
    """One name of setup.training_model. `size` in bytes, 0 when not known."""

    link: str
    sha256: str
    size: int = 0


TINY_RANDOM = "Tiny random"
TINY_RANDOM_FOLDER = "tiny-random-1"

NAMED = {
    "Anime": NamedModel(
        f"{_GUIDE}/animefull-final-pruned-fp16.safetensors",
        "06bece8e771a9ec16474db4c7d601d2f04fd08d1b1611072e7dd97c18cec3a09",
        2_132_648_534,
    ),
    "AnyLora": NamedModel(  # the notebook's .ckpt; the same repository has it as .safetensors, from the same author
        "https://huggingface.co/Lykon/AnyLoRA/resolve/main/AnyLoRA_noVae_fp16-pruned.safetensors",
        "ad1150a839ca510064d96120049686c5180cee847df3c14e04ed94ccecdefca6",
        2_132_651_162,
    ),
    "Stable Diffusion": NamedModel(
        f"{_GUIDE}/sd-v1-5-pruned-noema-fp16.safetensors",
        "7d8dc5577b85ca48fb12957a1fafee7a59aa380784f0e4f0a3f80f64449c0efa",
        2_132_651_148,
    ),
}
