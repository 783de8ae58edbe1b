"""[samples]: test pictures."""

from typing import Annotated, Literal

from pydantic import Field

from kohya_wrap.config.base import PositiveNumber, Strings, Table

Weights = Annotated[tuple[Annotated[float, Field(allow_inf_nan=False)], ...], Field(strict=False)]
EpochNumbers = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False, min_length=1)]
PictureSide = Annotated[int, Field(ge=64, multiple_of=8)]


class SamplesConfig(Table):
    """What to draw with the LoRA, for the verbs that draw."""

    prompts: Strings = ()
    """Prompts to draw, each plain or as A1111 text with its parameters, which go before the fields below.
    {activation_tag} stands for dataset.activation_tag. Default: none. Source: kohya_wrap."""

    negative_prompt: str = ""
    """What a picture should not show, for prompts that do not say.
    Default: empty. Source: A1111, Negative prompt."""

    sample_seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Seed of a picture's noise, for prompts that do not say.
    Default: 42. Source: A1111, Seed."""

    steps: Annotated[int, Field(ge=1, le=150)] = 20
    """Sampling steps, for prompts that do not say.
    Default: 20. Source: A1111, Steps."""

    cfg_scale: PositiveNumber = 7
    """How closely the prompt is followed, for prompts that do not say.
    Default: 7. Source: A1111, CFG scale."""

    sampler: Annotated[str, Field(min_length=1)] = "Euler a"
    """Sampler by its A1111 name, its schedule included, for prompts that do not say.
    Default: "Euler a". Source: A1111, Sampler."""

    width: PictureSide = 512
    """Width of a picture in pixels, a multiple of 8, for prompts that do not say.
    Default: 512. Source: A1111, Size."""

    height: PictureSide = 512
    """Height of a picture in pixels, a multiple of 8, for prompts that do not say.
    Default: 512. Source: A1111, Size."""

    sample_clip_skip: Annotated[int, Field(ge=1, le=12)] = 1
    """Which of the text encoder's last layers to read, for prompts that do not say.
    Default: 1. Source: A1111, Clip skip."""

    weights: Annotated[Weights, Field(min_length=1)] = (0.0, 0.5, 1.0)
    """Weights of the LoRA, one column of the grid each; 0 is the base model alone.
    Default: 0, 0.5 and 1. Source: kohya_wrap."""

    epochs: Literal["last", "all"] | EpochNumbers = "last"
    """Epochs to draw, one row of the grid each: "last", "all" or a list of numbers from 1.
    Default: "last". Source: kohya_wrap."""

    while_training: bool = False
    """Let sd-scripts draw the prompts, too, whenever it saves an epoch: into the run's folder output/sample. It knows
    fewer samplers, and takes the nearest. Default: false. Source: sd-scripts, sample_every_n_epochs."""

    lora_folders: Strings = ()
    """Where other LoRAs are that a prompt asks for by <lora:NAME:WEIGHT>, next to the outputs of all projects.
    Default: none. Source: kohya_wrap."""

    embedding_folders: Strings = ()
    """Where embeddings are that a prompt names, next to the folder embeddings beside Loras.
    Default: none. Source: kohya_wrap."""

    draw_with: Literal["diffusers", "webui", "comfyui"] = "diffusers"
    """What draws: diffusers in the engine's environment, or a server of A1111 or ComfyUI.
    Default: "diffusers". Source: kohya_wrap."""

    @property
    def draws_while_training(self) -> bool:
        """Whether the engine itself is to draw."""
        return self.while_training and bool(self.prompts)
