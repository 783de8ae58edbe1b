"""What samplers are made of: a sample is picture + sigma * noise."""

import math
from collections.abc import Callable

import torch

Tensor = torch.Tensor
Denoise = Callable[[Tensor, float], Tensor]
Draw = Callable[[], Tensor]


def slope_at(x: Tensor, sigma: float, picture: Tensor) -> Tensor:
    """Give dx/dsigma where the guess is `picture`. Source: Karras et al. 2022, equation 1."""
    return (x - picture) / sigma


def split_step(sigma: float, below: float) -> tuple[float, float]:
    """Split a step into the sigma to go down to and the noise to put back. Source: k-diffusion, eta = 1."""
    up = min(below, math.sqrt(max(0.0, below**2 * (sigma**2 - below**2) / sigma**2)))
    return math.sqrt(below**2 - up**2), up


def toward(x: Tensor, picture: Tensor, sigma: float, below: float) -> Tensor:
    """Go down to `below` where the guess stays what it is."""
    return picture + (x - picture) * (below / sigma)
