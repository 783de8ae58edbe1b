"""Samplers that put new noise in as they go: they solve the stochastic equation, where `samplers` has the plain one."""

import math
from collections.abc import Sequence
from itertools import pairwise

from steps import Denoise, Draw, Tensor, split_step, toward


def dpmpp_2s_ancestral(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw) -> Tensor:
    """DPM-Solver++(2S) with noise put back. Source: Lu et al. 2022, arXiv 2211.01095, algorithm 1."""
    for sigma, below in pairwise(sigmas):
        down, up = split_step(sigma, below)
        picture = denoise(x, sigma)
        if not down:
            x = picture
        else:
            middle = math.sqrt(sigma * down)
            half = toward(x, picture, sigma, middle)
            x = toward(x, denoise(half, middle), sigma, down)
        x = x + noise() * up if up else x
    return x


def dpmpp_sde(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw) -> Tensor:
    """DPM-Solver++(2S) for the stochastic equation, r = 1/2. Source: k-diffusion, sample_dpmpp_sde."""
    for sigma, below in pairwise(sigmas):
        picture = denoise(x, sigma)
        if not below:
            x = toward(x, picture, sigma, 0.0)
            continue
        middle = math.sqrt(sigma * below)
        first, second = noise(), noise()
        # One path of Brownian motion: its part down to the middle belongs to the whole step as well.
        whole = (first * math.sqrt(sigma - middle) + second * math.sqrt(middle - below)) / math.sqrt(sigma - below)
        down, up = split_step(sigma, middle)
        half = toward(x, picture, sigma, down) + first * up
        down, up = split_step(sigma, below)
        x = toward(x, denoise(half, middle), sigma, down) + whole * up
    return x


def dpmpp_2m_sde(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw, *, heun: bool = False) -> Tensor:
    """DPM-Solver++(2M) for the stochastic equation. Source: k-diffusion, sample_dpmpp_2m_sde, eta = 1."""
    before: Tensor | None = None
    for place, (sigma, below) in enumerate(pairwise(sigmas)):
        picture = denoise(x, sigma)
        if not below:
            return picture
        width = math.log(sigma / below)
        rest = -math.expm1(-2 * width)
        x = x * (below / sigma * math.exp(-width)) + picture * rest
        if before is not None:
            ratio = math.log(sigmas[place - 1] / sigma) / width
            share = 1 - rest / (2 * width) if heun else rest / 2
            x = x + (picture - before) / ratio * share
        x = x + noise() * below * math.sqrt(rest)
        before = picture
    return x


def dpmpp_3m_sde(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw) -> Tensor:
    """DPM-Solver++(3M) for the stochastic equation. Source: k-diffusion, sample_dpmpp_3m_sde, eta = 1."""
    pictures: list[Tensor] = []
    widths: list[float] = []
    for sigma, below in pairwise(sigmas):
        picture = denoise(x, sigma)
        if not below:
            return picture
        width = math.log(sigma / below)
        doubled = 2 * width
        rest = -math.expm1(-doubled)
        x = x * math.exp(-doubled) + picture * rest
        second = math.expm1(-doubled) / doubled + 1
        if len(pictures) > 1:
            near, far = widths[0] / width, widths[1] / width
            first, older = (picture - pictures[0]) / near, (pictures[0] - pictures[1]) / far
            bend = (first - older) / (near + far)
            x = x + (first + bend * near) * second - bend * (second / doubled - 0.5)
        elif pictures:
            x = x + (picture - pictures[0]) / (widths[0] / width) * second
        x = x + noise() * below * math.sqrt(rest)
        pictures, widths = [picture, *pictures[:1]], [width, *widths[:1]]
    return x


def lcm(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw) -> Tensor:
    """Guess the picture, put noise back, again. Source: Luo et al. 2023, arXiv 2310.04378, algorithm 3."""
    for sigma, below in pairwise(sigmas):
        x = denoise(x, sigma)
        x = x + noise() * below if below else x
    return x
