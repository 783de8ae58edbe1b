"""Optimizer and learning-rate schedule, by sd-scripts' names."""

import ast
from typing import Any

import torch
from diffusers.optimization import get_scheduler
from lines import log
from lora import Network
from settings import Settings
from torch.optim.lr_scheduler import LRScheduler


def create_optimizer(network: Network, settings: Settings) -> torch.optim.Optimizer:
    """Give torch's optimizer of that name with a parameter group per trained part, text encoder first."""
    arguments: dict[str, Any] = {}
    for text in settings.get("optimizer_args", []):
        key, _, value = text.partition("=")
        arguments[key] = ast.literal_eval(value)
    default = settings.get("learning_rate", 2e-6)
    parts = (("text_encoder_lr", network.text_encoder), ("unet_lr", network.unet))
    groups = [{"params": part.parameters(), "lr": settings.get(rate, default)} for rate, part in parts if part]
    name = settings.get("optimizer_type", "AdamW")
    log("prepare optimizer, data loader etc.")
    log(f"use {name} optimizer | {arguments}")
    return getattr(torch.optim, name)(groups, lr=default, **arguments)


def create_schedule(optimizer: torch.optim.Optimizer, settings: Settings, *, steps: int) -> LRScheduler:
    """Give the schedule that diffusers has under the name. A warm-up given as a float is a part of all steps.

    Raises ValueError for a warm-up with "constant", which has none.
    """
    name, warmup = settings.get("lr_scheduler", "constant"), settings.get("lr_warmup_steps", 0)
    warmup_steps = int(warmup * steps) if isinstance(warmup, float) else warmup
    if name == "constant" and warmup_steps:
        raise ValueError(f"{name} does not require `num_warmup_steps`. Set None or 0.")
    return get_scheduler(
        name,
        optimizer,
        num_warmup_steps=warmup_steps,
        num_training_steps=steps,
        num_cycles=settings.get("lr_scheduler_num_cycles", 1),
        power=float(settings.get("lr_scheduler_power", 1)),
    )


def learning_rates(optimizer: torch.optim.Optimizer, network: Network) -> dict[str, float]:
    """Give the learning rates as they stand, under TensorBoard's names."""
    rates = [group["lr"] for group in optimizer.param_groups]
    names = [name for name, part in (("lr/textencoder", network.text_encoder), ("lr/unet", network.unet)) if part]
    return dict(zip(names, rates, strict=True))
