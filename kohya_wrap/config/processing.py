"""[processing]: how pictures and captions are read."""

from typing import Annotated

from pydantic import Field

from kohya_wrap.config.base import Slider, Table


class ProcessingConfig(Table):
    """The notebook's heading "Processing"."""

    resolution: Annotated[int, Field(ge=64, multiple_of=64), Slider(512, 1024, 128)] = 512
    """Training resolution in pixels; a picture's area is scaled to resolution x resolution.
    Default: 512. Source: Lora_Trainer, resolution."""

    flip_aug: bool = False
    """Train on mirror images too, at no extra cost. Off for asymmetrical subjects.
    Default: false. Source: Lora_Trainer, flip_aug."""

    caption_extension: str = ".txt"
    """Ending of the caption files; empty for no captions.
    Default: .txt. Source: Lora_Trainer, caption_extension."""

    shuffle_tags: bool = True
    """Shuffle the tags of a caption at every use.
    Default: true. Source: Lora_Trainer, shuffle_tags."""

    activation_tags: Annotated[int, Field(ge=0), Slider(0, 3)] = 1
    """How many tags at the start of a caption stay in place when the rest is shuffled (keep_tokens).
    Default: 1. Source: Lora_Trainer, activation_tags."""
