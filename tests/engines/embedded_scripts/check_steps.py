"""What decides a step's size: the loss weights and the learning rates."""

from typing import Any

import torch
from material import World
from model import noise_scheduler, snr_weights
from optimization import create_schedule
from settings import Settings

TIMESTEPS = (0, 100, 500, 999)
SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {"lr_scheduler": "constant"},
    "constant_with_warmup": {"lr_scheduler": "constant_with_warmup", "lr_warmup_steps": 2},
    "linear": {"lr_scheduler": "linear", "lr_warmup_steps": 2},
    "linear, a part": {"lr_scheduler": "linear", "lr_warmup_steps": 0.2},
    "linear, none": {"lr_scheduler": "linear"},
    "cosine": {"lr_scheduler": "cosine", "lr_warmup_steps": 2},
    "cosine_with_restarts": {
        "lr_scheduler": "cosine_with_restarts",
        "lr_warmup_steps": 2,
        "lr_scheduler_num_cycles": 2,
    },
    "polynomial": {"lr_scheduler": "polynomial", "lr_warmup_steps": 2, "lr_scheduler_power": 2},
    "constant, warm-up": {"lr_scheduler": "constant", "lr_warmup_steps": 2},
}


def check_snr_weights(_: World) -> Any:
    """The weights of some timesteps for two gammas."""
    times = torch.tensor(TIMESTEPS)
    return {str(gamma): snr_weights(noise_scheduler(), times, gamma).tolist() for gamma in (5, 1)}


def check_schedules(_: World) -> Any:
    """The learning rate of each of ten steps, from a base rate of 1, or what was raised."""
    found: dict[str, Any] = {}
    for name, options in SCHEDULES.items():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        try:
            schedule = create_schedule(optimizer, Settings(options), steps=10)
        except ValueError as error:
            found[name] = str(error)
            continue
        found[name] = []
        for _step in range(10):
            found[name].append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
    return found
