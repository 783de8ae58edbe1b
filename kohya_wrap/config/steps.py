"""[steps]: how long to train, and what to keep."""

from typing import Annotated, Literal

from pydantic import Field

from kohya_wrap.config.base import Slider, Table


class StepsConfig(Table):
    """The notebook's heading "Steps"."""

    num_repeats: Annotated[int, Field(ge=1)] = 10
    """How often each picture is used in one epoch.
    Default: 10. Source: Lora_Trainer, num_repeats."""

    preferred_unit: Literal["Epochs", "Steps"] = "Epochs"
    """What how_many counts.
    Default: Epochs. Source: Lora_Trainer, preferred_unit."""

    how_many: Annotated[int, Field(ge=1)] = 10
    """Epochs or steps to train.
    Default: 10. Source: Lora_Trainer, how_many."""

    save_every_n_epochs: Annotated[int, Field(ge=0)] = 1
    """Save a LoRA every so many epochs; 0: only at the end.
    Default: 1. Source: Lora_Trainer, save_every_n_epochs."""

    keep_only_last_n_epochs: Annotated[int, Field(ge=0)] = 10
    """How many of the saved LoRAs to keep, the last epoch's included; 0: all.
    Default: 10. Source: Lora_Trainer, keep_only_last_n_epochs."""

    train_batch_size: Annotated[int, Field(ge=1), Slider(1, 8)] = 2
    """Pictures per step and GPU.
    Default: 2. Source: Lora_Trainer, train_batch_size."""

    max_total_steps: Annotated[int, Field(ge=1)] = 10_000
    """More steps than this is taken for a mistake and refused; raise it to lift the limit.
    Default: 10000. Source: Lora_Trainer's check before it starts."""
