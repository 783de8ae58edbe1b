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
    groups = []
    if network.text_encoder:
        rate = settings.get("text_encoder_lr", default)
        groups.append({"params": network.text_encoder.parameters(), "lr": rate})
    if settings.get("unet_lr", default):
        groups.append({"params": network.unet.parameters(), "lr": settings.get("unet_lr", default)})
    name = settings.get("optimizer_type", "AdamW")
    log("prepare optimizer, data loader etc.")
    log(f"use {name} optimizer | {arguments}")
    return getattr(torch.optim, name)(groups, lr=default, **arguments)


def create_schedule(optimizer: torch.optim.Optimizer, settings: Settings, *, steps: int) -> LRScheduler:
    """Give the schedule that diffusers has under the name. A warm-up given as a float is a part of all steps."""
    warmup = settings.get("lr_warmup_steps", 0)
    return get_scheduler(
        settings.get("lr_scheduler", "constant"),
        optimizer,
        num_warmup_steps=int(warmup * steps) if isinstance(warmup, float) else warmup,
        num_training_steps=steps,
        num_cycles=settings.get("lr_scheduler_num_cycles", 1),
        power=float(settings.get("lr_scheduler_power", 1)),
    )


def learning_rates(optimizer: torch.optim.Optimizer, network: Network) -> dict[str, float]:
    """Give the learning rates as they stand, under TensorBoard's names."""
    rates = [group["lr"] for group in optimizer.param_groups]
    names = (["lr/textencoder"] if network.text_encoder else []) + ["lr/unet"]
    return dict(zip(names, rates, strict=False))
