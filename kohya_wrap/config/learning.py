"""[learning]: learning rates and their schedule."""

from typing import Annotated, Literal

from pydantic import Field

from kohya_wrap.config.base import Slider, Table

LrScheduler = Literal["constant", "cosine", "cosine_with_restarts", "constant_with_warmup", "linear", "polynomial"]


class LearningConfig(Table):
    """The notebook's heading "Learning"."""

    unet_lr: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 5e-4
    """Learning rate of the U-Net's LoRA.
    Default: 5e-4. Source: Lora_Trainer, unet_lr."""

    text_encoder_lr: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-4
    """Learning rate of the text encoder's LoRA; 0: only the U-Net is trained.
    Default: 1e-4. Source: Lora_Trainer, text_encoder_lr."""

    lr_scheduler: LrScheduler = "cosine_with_restarts"
    """How the learning rates change over the run.
    Default: cosine_with_restarts. Source: Lora_Trainer, lr_scheduler."""

    lr_scheduler_number: Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0, allow_inf_nan=False)] = 3
    """Restarts with cosine_with_restarts (a whole number), the power with polynomial, else unused.
    Default: 3. Source: Lora_Trainer, lr_scheduler_number."""

    lr_warmup_ratio: Annotated[float, Field(ge=0, le=1), Slider(0.0, 0.5, 0.01)] = 0.05
    """Part of all steps over which the learning rates rise from 0.
    Default: 0.05. Source: Lora_Trainer, lr_warmup_ratio."""

    min_snr_gamma: bool | Annotated[float, Field(gt=0, allow_inf_nan=False)] = True
    """Weight the loss by min-SNR (Hang et al. 2023, arXiv 2303.09556): true for gamma 5, or a gamma of your own.
    Default: true. Source: Lora_Trainer, min_snr_gamma; as a number Lora_Trainer_XL, min_snr_gamma."""
