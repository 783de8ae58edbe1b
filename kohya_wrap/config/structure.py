"""[structure]: what kind of LoRA, and how large."""

from typing import Annotated, Literal

from pydantic import Field

from kohya_wrap.config.base import PositiveNumber, Slider, Table

LoraType = Literal["LoRA", "LoCon", "LoCon Lycoris", "LoHa Lycoris"]


class StructureConfig(Table):
    """The notebook's heading "Structure"."""

    lora_type: LoraType = "LoRA"
    """LoRA: linear layers. LoCon: 3x3 convolutions too. The Lycoris kinds are the notebook's of 2023.
    Default: LoRA. Source: Lora_Trainer, lora_type."""

    network_dim: Annotated[int, Field(ge=1), Slider(1, 128)] = 16
    """Rank of the update matrices.
    Default: 16. Source: Lora_Trainer, network_dim."""

    network_alpha: Annotated[PositiveNumber, Slider(1, 128)] = 8
    """The update is scaled by network_alpha / network_dim.
    Default: 8. Source: Lora_Trainer, network_alpha."""

    conv_dim: Annotated[int, Field(ge=1), Slider(1, 64)] = 8
    """Rank in the convolutions, LoCon only.
    Default: 8. Source: Lora_Trainer, conv_dim."""

    conv_alpha: Annotated[PositiveNumber, Slider(1, 64)] = 4
    """Scale in the convolutions, LoCon only.
    Default: 4 (2023: 1). Source: Lora_Trainer, conv_alpha."""

    conv_compression: bool = False
    """Decompose the convolutions further (lycoris use_tucker), Lycoris kinds only.
    Default: false. Source: Lora_Trainer of 2023, conv_compression."""
