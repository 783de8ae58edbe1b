"""What differs from one base-model family to another."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kohya_wrap.families.memory import ModelSize


@dataclass(frozen=True, slots=True)
class Family:
    """One family of base models and how sd-scripts trains it.

    `tokenizers`: folder names below tokenizer_cache_dir. `lora_modules`: LoRA modules per part ("text_encoder",
    "unet", "unet_with_conv") that networks.lora makes. Source: facts measured on the pinned engine. `left_out`: options
    of the notebook that the family's script warns of. `size`: what the estimate of GPU memory reckons with; None: there
    is none.
    """

    name: str
    title: str
    script: str
    bucket_step: int
    default_resolution: int
    tokenizers: tuple[str, ...]
    fixed_arguments: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    lora_modules: Mapping[str, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    size: ModelSize | None = None
