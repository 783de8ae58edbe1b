"""The samplers, each from noise to a picture, where a sample is picture + sigma * noise (Karras et al. 2022).

Each takes `denoise(x, sigma)`, which guesses the picture in x, the falling sigmas, and `noise()`, which gives new noise
of x's shape. Written from the papers, in the variants that k-diffusion and A1111 have under these names.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import torch

Tensor = torch.Tensor
Denoise = Callable[[Tensor, float], Tensor]
Draw = Callable[[], Tensor]


def _slope(x: Tensor, sigma: float, picture: Tensor) -> Tensor:
    return (x - picture) / sigma


def _ancestral(sigma: float, below: float) -> tuple[float, float]:
    """Split a step into the sigma to go down to and the noise to put back. Source: k-diffusion, eta = 1."""
    up = min(below, math.sqrt(max(0.0, below**2 * (sigma**2 - below**2) / sigma**2)))
    return math.sqrt(below**2 - up**2), up


def euler(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw, *, ancestral: bool = False) -> Tensor:
    """Euler's method. Source: Karras et al. 2022, algorithm 2 without its second order."""
    for sigma, below in pairwise(sigmas):
        down, up = _ancestral(sigma, below) if ancestral else (below, 0.0)
        x = x + _slope(x, sigma, denoise(x, sigma)) * (down - sigma)
        x = x + noise() * up if up else x
    return x


def heun(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw) -> Tensor:
    """Heun's method: the mean of the slopes at both ends. Source: Karras et al. 2022, algorithm 2."""
    for sigma, below in pairwise(sigmas):
        slope = _slope(x, sigma, denoise(x, sigma))
        end = x + slope * (below - sigma)
        x = end if not below else x + (slope + _slope(end, below, denoise(end, below))) / 2 * (below - sigma)
    return x


def dpm2(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw, *, ancestral: bool = False) -> Tensor:
    """The slope at the middle, in log sigma. Source: Lu et al. 2022, DPM-Solver-2, as k-diffusion has it."""
    for sigma, below in pairwise(sigmas):
        down, up = _ancestral(sigma, below) if ancestral else (below, 0.0)
        slope = _slope(x, sigma, denoise(x, sigma))
        if down:
            middle = math.sqrt(sigma * down)
            half = x + slope * (middle - sigma)
            slope = _slope(half, middle, denoise(half, middle))
        x = x + slope * (down - sigma)
        x = x + noise() * up if up else x
    return x


def lms(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw) -> Tensor:
    """Linear multistep of order 4: the polynomial through the last slopes, integrated."""
    slopes: list[Tensor] = []
    for place, (sigma, below) in enumerate(pairwise(sigmas)):
        slopes = [_slope(x, sigma, denoise(x, sigma)), *slopes[:3]]
        nodes = [sigmas[place - back] for back in range(len(slopes))]
        x = x + sum(_share(nodes, which, sigma, below) * slope for which, slope in enumerate(slopes))
    return x


def _share(nodes: Sequence[float], which: int, start: float, end: float) -> float:
    others = [node for place, node in enumerate(nodes) if place != which]
    scale = math.prod(nodes[which] - node for node in others)
    whole = np.poly1d(others, r=True).integ() if others else np.poly1d([1.0, 0.0])
    return float(whole(end) - whole(start)) / scale


def dpmpp_2s_ancestral(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw) -> Tensor:
    """DPM-Solver++(2S) with noise put back. Source: Lu et al. 2022, arXiv 2211.01095, algorithm 1."""
    for sigma, below in pairwise(sigmas):
        down, up = _ancestral(sigma, below)
        picture = denoise(x, sigma)
        if not down:
            x = picture
        else:
            middle = math.sqrt(sigma * down)
            half = _toward(x, picture, sigma, middle)
            x = _toward(x, denoise(half, middle), sigma, down)
        x = x + noise() * up if up else x
    return x


def _toward(x: Tensor, picture: Tensor, sigma: float, below: float) -> Tensor:
    """Go down to `below` where the guess stays what it is."""
    return picture + (x - picture) * (below / sigma)


def dpmpp_sde(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw) -> Tensor:
    """DPM-Solver++(2S) for the stochastic equation, r = 1/2. Source: k-diffusion, sample_dpmpp_sde."""
    for sigma, below in pairwise(sigmas):
        picture = denoise(x, sigma)
        if not below:
            x = _toward(x, picture, sigma, 0.0)
            continue
        middle = math.sqrt(sigma * below)
        first, second = noise(), noise()
        # One path of Brownian motion: its part down to the middle belongs to the whole step as well.
        whole = (first * math.sqrt(sigma - middle) + second * math.sqrt(middle - below)) / math.sqrt(sigma - below)
        down, up = _ancestral(sigma, middle)
        half = _toward(x, picture, sigma, down) + first * up
        down, up = _ancestral(sigma, below)
        x = _toward(x, denoise(half, middle), sigma, down) + whole * up
    return x


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw) -> Tensor:
    """DPM-Solver++(2M). Source: Lu et al. 2022, arXiv 2211.01095, algorithm 2."""
    before: Tensor | None = None
    for place, (sigma, below) in enumerate(pairwise(sigmas)):
        picture = denoise(x, sigma)
        guess = picture
        if before is not None and below:
            ratio = math.log(sigmas[place - 1] / sigma) / math.log(sigma / below)
            guess = picture + (picture - before) / (2 * ratio)
        x, before = _toward(x, guess, sigma, below), picture
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


def plms(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw) -> Tensor:
    """Pseudo linear multistep. Source: Liu et al. 2022, PNDM, arXiv 2202.09778, its last four slopes."""
    slopes: list[Tensor] = []
    for sigma, below in pairwise(sigmas):
        now = _slope(x, sigma, denoise(x, sigma))
        if not slopes:
            end = x + now * (below - sigma)
            slope = (now + _slope(end, below, denoise(end, below))) / 2
        else:
            known = [now, *slopes]
            slope = sum(share * each for share, each in zip(_PLMS[len(slopes)], known, strict=True))
        x = x + slope * (below - sigma)
        slopes = [now, *slopes[:2]]
    return x


def unipc(denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Draw) -> Tensor:
    """UniPC-3 with B(h) = h: predict, and correct with the next guess. Source: Zhao et al. 2023, arXiv 2302.04867."""
    pictures: list[Tensor] = []
    logs: list[float] = []
    step: _Step | None = None
    for place, (sigma, below) in enumerate(pairwise(sigmas)):
        picture = denoise(x, sigma)
        x = step.corrected(picture) if step else x
        if not below:
            return picture
        pictures, logs = [picture, *pictures[:2]], [-math.log(sigma), *logs[:2]]
        order = min(3, len(pictures), len(sigmas) - 1 - place)
        step = _Step(x, below, pictures[:order], logs[:order])
        x = step.predicted()
    return x


class _Step:
    """One step of UniPC from x, whose guess is the first of `pictures`, at the first of `logs` (-log sigma)."""

    def __init__(self, x: Tensor, below: float, pictures: Sequence[Tensor], logs: Sequence[float]) -> None:
        width = -math.log(below) - logs[0]
        self._scale, self._first = -width, pictures[0]
        self._plain = x * math.exp(-width) - pictures[0] * math.expm1(-width)
        ratios = [(log - logs[0]) / width for log in logs[1:]]
        self._bends = [(each - pictures[0]) / ratio for each, ratio in zip(pictures[1:], ratios, strict=True)]
        self._powers = np.array([[ratio**power for ratio in (*ratios, 1.0)] for power in range(len(pictures))])
        self._sides = np.array(_phis(-width, len(pictures)))

    def predicted(self) -> Tensor:
        """Give x after the step, from the guesses so far."""
        count = len(self._bends)
        # Of order 2 the authors take the half, which their condition leaves free.
        shares = [0.5] if count == 1 else np.linalg.solve(self._powers[:-1, :-1], self._sides[:-1])
        return self._plain - self._scale * _sum(shares, self._bends, self._plain)

    def corrected(self, picture: Tensor) -> Tensor:
        """Give x after the step once more, with the guess at its end."""
        shares = np.linalg.solve(self._powers, self._sides) if self._bends else [0.5]
        return self._plain - self._scale * _sum(shares, [*self._bends, picture - self._first], self._plain)


def _phis(scale: float, count: int) -> list[float]:
    found, phi, factorial = [], math.expm1(scale) / scale - 1, 1
    for number in range(1, count + 1):
        found.append(phi * factorial / scale)
        factorial *= number + 1
        phi = phi / scale - 1 / factorial
    return found


def _sum(shares: Sequence[float], parts: Sequence[Tensor], like: Tensor) -> Tensor:
    return sum((float(share) * part for share, part in zip(shares, parts, strict=True)), torch.zeros_like(like))


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
