"""The samplers, each from noise to a picture, where a sample is picture + sigma * noise (Karras et al. 2022).

Each takes `denoise(x, sigma)`, which guesses the picture in x, the falling sigmas, and `noise()`, which gives new noise
of x's shape. Written from the papers, in the variants that k-diffusion and A1111 have under these names.
"""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np
from steps import Denoise, Draw, Tensor, slope_at, split_step, toward
from stochastic import dpmpp_2m_sde, dpmpp_2s_ancestral, dpmpp_3m_sde, dpmpp_sde, lcm
from unipc import unipc


def euler(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw, *, ancestral: bool = False) -> Tensor:
    """Euler's method. Source: Karras et al. 2022, algorithm 2 without its second order."""
    for sigma, below in pairwise(sigmas):
        down, up = split_step(sigma, below) if ancestral else (below, 0.0)
        x = x + slope_at(x, sigma, denoise(x, sigma)) * (down - sigma)
        x = x + noise() * up if up else x
    return x


def heun(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw) -> Tensor:
    """Heun's method: the mean of the slopes at both ends. Source: Karras et al. 2022, algorithm 2."""
    for sigma, below in pairwise(sigmas):
        slope = slope_at(x, sigma, denoise(x, sigma))
        end = x + slope * (below - sigma)
        x = end if not below else x + (slope + slope_at(end, below, denoise(end, below))) / 2 * (below - sigma)
    return x


def dpm2(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw, *, ancestral: bool = False) -> Tensor:
    """The slope at the middle, in log sigma. Source: Lu et al. 2022, DPM-Solver-2, as k-diffusion has it."""
    for sigma, below in pairwise(sigmas):
        down, up = split_step(sigma, below) if ancestral else (below, 0.0)
        slope = slope_at(x, sigma, denoise(x, sigma))
        if down:
            middle = math.sqrt(sigma * down)
            half = x + slope * (middle - sigma)
            slope = slope_at(half, middle, denoise(half, middle))
        x = x + slope * (down - sigma)
        x = x + noise() * up if up else x
    return x


def lms(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw) -> Tensor:
    """Linear multistep of order 4: the polynomial through the last slopes, integrated."""
    slopes: list[Tensor] = []
    for place, (sigma, below) in enumerate(pairwise(sigmas)):
        slopes = [slope_at(x, sigma, denoise(x, sigma)), *slopes[:3]]
        nodes = [sigmas[place - back] for back in range(len(slopes))]
        x = x + sum(_share(nodes, which, sigma, below) * slope for which, slope in enumerate(slopes))
    return x


def _share(nodes: Sequence[float], which: int, start: float, end: float) -> float:
    others = [node for place, node in enumerate(nodes) if place != which]
    scale = math.prod(nodes[which] - node for node in others)
    whole = np.poly1d(others, r=True).integ() if others else np.poly1d([1.0, 0.0])
    return float(whole(end) - whole(start)) / scale


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw) -> Tensor:
    """DPM-Solver++(2M). Source: Lu et al. 2022, arXiv 2211.01095, algorithm 2."""
    before: Tensor | None = None
    for place, (sigma, below) in enumerate(pairwise(sigmas)):
        picture = denoise(x, sigma)
        guess = picture
        if before is not None and below:
            ratio = math.log(sigmas[place - 1] / sigma) / math.log(sigma / below)
            guess = picture + (picture - before) / (2 * ratio)
        x, before = toward(x, guess, sigma, below), picture
    return x


def plms(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw) -> Tensor:
    """Pseudo linear multistep. Source: Liu et al. 2022, PNDM, arXiv 2202.09778, its last four slopes."""
    slopes: list[Tensor] = []
    for sigma, below in pairwise(sigmas):
        now = slope_at(x, sigma, denoise(x, sigma))
        if not slopes:
            end = x + now * (below - sigma)
            slope = (now + slope_at(end, below, denoise(end, below))) / 2
        else:
            known = [now, *slopes]
            slope = sum(share * each for share, each in zip(_PLMS[len(slopes)], known, strict=True))
        x = x + slope * (below - sigma)
        slopes = [now, *slopes[:2]]
    return x


_PLMS = {1: (3 / 2, -1 / 2), 2: (23 / 12, -16 / 12, 5 / 12), 3: (55 / 24, -59 / 24, 37 / 24, -9 / 24)}

SAMPLE = {
    "Euler": euler,
    "Euler a": partial(euler, ancestral=True),
    "LMS": lms,
    "Heun": heun,
    "DPM2": dpm2,
    "DPM2 a": partial(dpm2, ancestral=True),
    "DPM++ 2S a": dpmpp_2s_ancestral,
    "DPM++ 2M": dpmpp_2m,
    "DPM++ SDE": dpmpp_sde,
    "DPM++ 2M SDE": dpmpp_2m_sde,
    "DPM++ 2M SDE Heun": partial(dpmpp_2m_sde, heun=True),
    "DPM++ 3M SDE": dpmpp_3m_sde,
    "LCM": lcm,
    "DDIM": euler,
    "PLMS": plms,
    "UniPC": unipc,
}
"""DDIM with eta = 0 is Euler's method in these coordinates. Source: Song et al. 2021, arXiv 2010.02502, section 4.3."""
