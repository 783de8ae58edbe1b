"""How much noise is left after each step: the schedules of A1111 and k-diffusion (Karras et al. 2022)."""

import math

import torch
from names import Sampler

RHO = 7.0
"""Source: Karras et al. 2022, arXiv 2206.00364, equation 5."""
ALIGNED = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
"""Source: Sabour et al. 2024, Align Your Steps, arXiv 2404.14507, for Stable Diffusion 1.5, 10 steps."""

SHAPE, PIECES = 0.6, 20_000
LEAST = 2.0**-24
"""What is left of the picture where noise is all there is, so that sigma has an end. Source: diffusers."""


class Noise:
    """The noise that the model was trained with: 1,000 levels, sigma = sqrt((1 - a) / a), rising."""

    def __init__(self, alphas_cumprod: torch.Tensor) -> None:
        self.levels = ((1 - alphas_cumprod.double()) / alphas_cumprod.double()).sqrt()
        self._log = self.levels.log()

    @property
    def lowest(self) -> float:
        """The smallest sigma."""
        return float(self.levels[0])

    @property
    def highest(self) -> float:
        """The largest sigma."""
        return float(self.levels[-1])

    def sigma_at(self, step: torch.Tensor) -> torch.Tensor:
        """Give the sigma of a training step, which may lie between two; log sigma is taken to be linear there."""
        low = step.floor().long().clamp(0, len(self._log) - 2)
        share = step - low
        return ((1 - share) * self._log[low] + share * self._log[low + 1]).exp()

    def step_of(self, sigma: float) -> float:
        """Give the training step of a sigma, the other way round."""
        log = math.log(sigma)
        low = int((self._log <= log).sum().clamp(1, len(self._log) - 1)) - 1
        first, second = float(self._log[low]), float(self._log[low + 1])
        return low + min(1.0, max(0.0, (log - first) / (second - first)))


def zero_snr(alphas: torch.Tensor) -> torch.Tensor:
    """Shift the products of alphas so that the last is noise alone. Source: Lin et al. 2023, arXiv 2305.08891."""
    roots = alphas.sqrt()
    shifted = (roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])
    return (shifted**2).clamp(min=LEAST)


def sigmas_for(sampler: Sampler, schedule: str, steps: int, noise: Noise) -> list[float]:
    """Give `steps` falling sigmas and a 0 at the end."""
    count = steps + 1 if sampler.drop else steps
    name = sampler.automatic if schedule == "Automatic" else schedule
    found = [float(each) for each in _SCHEDULES[name](count, noise)]
    return [*(found[:-1] if sampler.drop else found), 0.0]


def own_steps(steps: int, noise: Noise) -> list[float]:
    """Give DDIM's and PLMS's sigmas as A1111 takes them: every (1000 // steps)-th level from the second, down to 0."""
    total = len(noise.levels)
    places = [min(place + 1, total - 1) for place in range(0, total, total // steps)]
    return [float(noise.levels[place]) for place in (*reversed(places), 0)]


def _linear(start: float, end: float, count: int) -> torch.Tensor:
    return torch.linspace(start, end, count, dtype=torch.float64)


def _uniform(count: int, noise: Noise) -> torch.Tensor:
    return noise.sigma_at(_linear(len(noise.levels) - 1, 0, count))


def _karras(count: int, noise: Noise) -> torch.Tensor:
    return _linear(noise.highest ** (1 / RHO), noise.lowest ** (1 / RHO), count) ** RHO


def _exponential(count: int, noise: Noise) -> torch.Tensor:
    return _linear(math.log(noise.highest), math.log(noise.lowest), count).exp()


def _sgm_uniform(count: int, noise: Noise) -> torch.Tensor:
    return noise.sigma_at(_linear(len(noise.levels) - 1, 0, count + 1)[:-1])


def _kl_optimal(count: int, noise: Noise) -> torch.Tensor:
    return _linear(math.atan(noise.highest), math.atan(noise.lowest), count).tan()


def _aligned(count: int, noise: Noise) -> torch.Tensor:
    logs = torch.tensor(ALIGNED, dtype=torch.float64).log()
    places = _linear(0, len(logs) - 1, count)
    low = places.floor().long().clamp(0, len(logs) - 2)
    return (logs[low] + (places - low) * (logs[low + 1] - logs[low])).exp()


def _simple(count: int, noise: Noise) -> list[float]:
    total = len(noise.levels)
    return [float(noise.levels[-(1 + int(place * total / count))]) for place in range(count)]


def _ddim(count: int, noise: Noise) -> list[float]:
    total = len(noise.levels)
    return [float(each) for each in noise.levels[1 :: max(total // count, 1)].flip(0)]


def _beta(count: int, noise: Noise) -> torch.Tensor:
    """Quantiles of the beta distribution, both SHAPEs the same. Source: Lee et al. 2024, arXiv 2407.12173."""
    # With x = sin² the density has no poles, and the sum over many small pieces is its integral.
    angles = _linear(0, math.pi / 2, PIECES + 1)
    density = (angles.sin() * angles.cos()) ** (2 * SHAPE - 1)
    below = torch.cat([torch.zeros(1), ((density[1:] + density[:-1]) / 2).cumsum(0)])
    wanted = _linear(1, 0, count) * below[-1]
    place = torch.searchsorted(below, wanted).clamp(1, PIECES)
    share = (wanted - below[place - 1]) / (below[place] - below[place - 1])
    found = (angles[place - 1] + share * (angles[place] - angles[place - 1])).sin() ** 2
    return noise.lowest + found * (noise.highest - noise.lowest)


_SCHEDULES = {
    "Uniform": _uniform,
    "Normal": _uniform,
    "Karras": _karras,
    "Exponential": _exponential,
    "Polyexponential": _exponential,  # with k-diffusion's rho of 1, at which A1111 leaves it, they are the same
    "SGM Uniform": _sgm_uniform,
    "KL Optimal": _kl_optimal,
    "Align Your Steps": _aligned,
    "Simple": _simple,
    "DDIM": _ddim,
    "Beta": _beta,
}
