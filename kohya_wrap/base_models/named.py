"""The base models that the notebooks offer by name.

Source: Lora_Trainer and Lora_Trainer_XL, training_model; the hashes are those of the files' Git LFS entries, or of
Civitai's. Where a hash was seen on copies of the file only, it is left out: the host's own is checked.
"""

from dataclasses import dataclass

_GUIDE = "https://huggingface.co/hollowstrawberry/stable-diffusion-guide/resolve/main/models"


@dataclass(frozen=True, slots=True)
class NamedModel:
    """One name of setup.training_model. `sha256`: empty, and `size`: 0 bytes, when not known."""

    link: str
    sha256: str = ""
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
    "Pony Diffusion V6 XL": NamedModel(
        "https://civitai.com/api/download/models/290640",
        "67ab2fd8ec439a89b3fedb15cc65f54336af163c7eb5e4f2acc98f090a29b0b3",
        6_938_041_050,
    ),
    "Illustrious XL 0.1": NamedModel(
        "https://huggingface.co/OnomaAIResearch/Illustrious-xl-early-release-v0/resolve/main/"
        "Illustrious-XL-v0.1.safetensors",
    ),
    "NoobAI V-Pred 1.0": NamedModel(
        "https://huggingface.co/Laxhar/noobai-XL-Vpred-1.0/resolve/main/NoobAI-XL-Vpred-v1.0.safetensors"
    ),
    "NoobAI Eps 1.1": NamedModel("https://huggingface.co/Laxhar/noobai-XL-1.1/resolve/main/NoobAI-XL-v1.1.safetensors"),
    "Animagine XL V3": NamedModel(
        "https://civitai.com/api/download/models/293564",
        "1449e5b0b9de87b0f414c5f29cb11ce3b3dc61fa2b320e784c9441720bf7b766",
        6_938_218_610,
    ),
    "Stable Diffusion XL 1.0 base": NamedModel(
        "https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors",
        "31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b",
    ),
}
