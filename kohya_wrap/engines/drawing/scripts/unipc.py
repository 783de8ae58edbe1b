"""UniPC: predict, and correct with the guess at the end of the step."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from steps import Denoise, Draw, Tensor


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
