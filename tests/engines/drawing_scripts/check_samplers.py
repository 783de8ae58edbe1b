"""The samplers on data whose best guess is known: numbers around MEAN with deviation SPREAD."""

import math
from collections.abc import Callable
from pathlib import Path

import torch
from base import _alphas
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from names import SAMPLERS, SCHEDULES, find_sampler
from samplers import SAMPLE
from sigmas import Noise, own_steps, sigmas_for

MEAN, SPREAD = 0.3, 0.5
NOISE = Noise(_alphas({}))
EXACT = ("Euler", "LMS", "Heun", "DPM2", "DPM++ 2M", "UniPC", "PLMS", "DDIM")
STABLE_DIFFUSION = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def _guess(x: torch.Tensor, sigma: float) -> torch.Tensor:
    return (MEAN * sigma**2 + x * SPREAD**2) / (SPREAD**2 + sigma**2)


def _sigmas(name: str, steps: int, schedule: str = "Automatic") -> list[float]:
    sampler = find_sampler(name)
    return own_steps(steps, NOISE) if sampler.own_steps else sigmas_for(sampler, schedule, steps, NOISE)


def _numbers(*shape: int) -> Callable[[], torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return lambda: torch.randn(*shape, generator=generator, dtype=torch.float64)


def check_exact(_: Path) -> dict:
    """How far each sampler of the plain equation ends from its solution, for a few steps and for many."""
    found = {}
    for name in EXACT:
        found[name] = []
        for steps in (10, 40):
            sigmas = _sigmas(name, steps, "Karras")
            x = torch.tensor([2.0, -1.0], dtype=torch.float64) * sigmas[0]
            solution = MEAN + (x - MEAN) * math.sqrt((SPREAD**2 + sigmas[-1] ** 2) / (SPREAD**2 + sigmas[0] ** 2))
            found[name].append(float((SAMPLE[name](_guess, x, sigmas, None) - solution).abs().max()))
    return found


def check_stochastic(_: Path) -> dict:
    """Mean and deviation of 20,000 numbers, drawn by the samplers that put noise in."""
    found = {}
    for name in sorted({each.name for each in SAMPLERS} - {*EXACT, "LCM"}):
        noise = _numbers(20_000)
        sigmas = _sigmas(name, 60, "Karras")
        drawn = SAMPLE[name](_guess, noise() * sigmas[0], sigmas, noise)
        found[name] = [float(drawn.mean()), float(drawn.std())]
    return found


def check_lcm(_: Path) -> list[float]:
    """Mean and deviation after four steps with a model that leads to the end of the path at once."""
    noise = _numbers(20_000)

    def jump(x: torch.Tensor, sigma: float) -> torch.Tensor:
        return MEAN + (x - MEAN) * SPREAD / math.sqrt(SPREAD**2 + sigma**2)

    sigmas = _sigmas("LCM", 4)
    drawn = SAMPLE["LCM"](jump, noise() * sigmas[0], sigmas, noise)
    return [float(drawn.mean()), float(drawn.std())]


def check_sigmas(_: Path) -> dict:
    """The sigmas of every schedule for ten steps, and of the samplers that leave one out."""
    names = [name for name in SCHEDULES if name != "Automatic"]
    found = {name: sigmas_for(find_sampler("Euler"), name, 10, NOISE) for name in names}
    return {"schedules": found, "DPM2": sigmas_for(find_sampler("DPM2"), "Automatic", 10, NOISE)}


def check_schedules_of_diffusers(_: Path) -> dict:
    """The same by diffusers' own schedulers, which are written by others."""
    found = {}
    options = {"Uniform": {}, "Karras": {"use_karras_sigmas": True}, "Exponential": {"use_exponential_sigmas": True}}
    for name, option in options.items():
        scheduler = EulerDiscreteScheduler(**STABLE_DIFFUSION, timestep_spacing="linspace", **option)
        scheduler.set_timesteps(10)
        found[name] = [float(sigma) for sigma in scheduler.sigmas]
    return found


def check_own_steps(_: Path) -> dict:
    """How far DDIM and PLMS end from diffusers' own after ten steps, in the model's scale."""
    start = torch.tensor([[2.0, -1.0]], dtype=torch.float64)
    shared = {**STABLE_DIFFUSION, "steps_offset": 1, "set_alpha_to_one": False}
    kinds = {
        "DDIM": DDIMScheduler(**shared, clip_sample=False, timestep_spacing="leading"),
        "PLMS": PNDMScheduler(**shared, skip_prk_steps=True, timestep_spacing="leading"),
    }
    found = {}
    for name, scheduler in kinds.items():
        scheduler.set_timesteps(10)
        x = start
        for step in scheduler.timesteps:
            sigma = float(NOISE.levels[int(step)])
            there = x * math.sqrt(1 + sigma**2)
            said = (there - _guess(there, sigma)) / sigma
            x = scheduler.step(said, step, x).prev_sample
        sigmas = own_steps(10, NOISE)
        ours = SAMPLE[name](_guess, start * math.sqrt(1 + sigmas[0] ** 2), sigmas, None) / math.sqrt(
            1 + sigmas[-1] ** 2
        )
        found[name] = float((ours - x).abs().max())
    return found


def check_steps_of_diffusers(_: Path) -> dict:
    """The largest difference from diffusers' own on the way, at 20 steps, with the same noise."""
    shared = {**STABLE_DIFFUSION, "use_karras_sigmas": True, "final_sigmas_type": "zero", "prediction_type": "sample"}
    sde = {"algorithm_type": "sde-dpmsolver++"}
    kinds = {
        "DPM++ 2M": DPMSolverMultistepScheduler(**shared),
        "DPM++ 2M SDE": DPMSolverMultistepScheduler(**shared, **sde),
        "DPM++ 2M SDE Heun": DPMSolverMultistepScheduler(**shared, **sde, solver_type="heun"),
        "UniPC": UniPCMultistepScheduler(**shared, solver_order=3, solver_type="bh1"),
    }
    found = {}
    for name, scheduler in kinds.items():
        scheduler.set_timesteps(20)
        sigmas, noise, theirs, ours = [float(sigma) for sigma in scheduler.sigmas], _numbers(1, 2), [], []
        x = torch.tensor([[2.0, -1.0]], dtype=torch.float64)
        for step, sigma in zip(scheduler.timesteps, sigmas, strict=False):
            theirs.append(x * math.sqrt(1 + sigma**2))
            more = {"variance_noise": noise()} if "SDE" in name else {}
            x = scheduler.step(_guess(theirs[-1], sigma), step, x, **more).prev_sample
        SAMPLE[name](
            lambda x, sigma, ours=ours: (ours.append(x), _guess(x, sigma))[1], theirs[0], sigmas, _numbers(1, 2)
        )
        found[name] = max(float((a - b).abs().max()) for a, b in zip(theirs, ours, strict=True))
    return found


def check_levels(_: Path) -> list[float]:
    """Lowest and highest sigma, and how far a step is from itself after the way to sigma and back."""
    steps = torch.tensor([0.0, 0.25, 500.5, 998.9, 999.0], dtype=torch.float64)
    back = [NOISE.step_of(float(sigma)) - float(step) for sigma, step in zip(NOISE.sigma_at(steps), steps, strict=True)]
    return [NOISE.lowest, NOISE.highest, max(abs(each) for each in back)]
