"""[training]: what the notebook sets without asking, and what it offers in its later cells."""

from typing import Annotated

from pydantic import Field

from kohya_wrap.config.base import Slider, Table


class TrainingConfig(Table):
    """Seed, precision of saving, and the notebook's "Extras" that change the training itself."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Seed of every random draw; 0 is a seed like any other.
    Default: 42. Source: Lora_Trainer, set without asking."""

    clip_skip: Annotated[int, Field(ge=1, le=12)] = 2
    """Which layer of the text encoder to use, counted from the end (1: the last).
    Default: 2. Source: Lora_Trainer, set without asking."""

    max_token_length: Annotated[int, Field(strict=True)] = 225
    """Longest caption in tokens: 75, 150 or 225. 75 is the text encoder's own window.
    Default: 225. Source: Lora_Trainer, set without asking."""

    continue_from_lora: str = ""
    """An existing .safetensors LoRA to go on from (network_weights).
    Default: empty. Source: Lora_Trainer, continue_from_lora."""

    weighted_captions: bool = False
    """Read (tag:1.2) weights in captions.
    Default: false. Source: Lora_Trainer, weighted_captions."""

    adjust_tags: bool = False
    """Escape and weight the first activation_tags tags in the caption files (a dataset step, with a copy kept).
    Default: false. Source: Lora_Trainer, adjust_tags."""

    activation_tag_weight: Annotated[float, Field(gt=0), Slider(1.0, 1.2, 0.1)] = 1.0
    """Weight that adjust_tags gives the activation tags.
    Default: 1.0. Source: Lora_Trainer, activation_tag_weight."""

    save_state: bool = False
    """Keep the newest training state, so that the run can be resumed: one with every LoRA that is saved.
    Default: false. Source: Lora_Trainer of 2023, save_state."""

    save_state_every_n_steps: Annotated[int, Field(ge=0)] = 0
    """Save a state also every so many steps, for epochs too long to lose; 0: with the LoRAs alone.
    Default: 0. Source: sd-scripts, save_every_n_steps."""

    keep_only_last_n_states: Annotated[int, Field(ge=1)] = 1
    """How many training states of each kind are kept; with 2 one is left even when the newest was cut short.
    Default: 1. Source: Lora_Trainer of 2023 keeps 1."""

    resume: str = ""
    """A state folder to go on from.
    Default: empty. Source: Lora_Trainer of 2023, resume."""
