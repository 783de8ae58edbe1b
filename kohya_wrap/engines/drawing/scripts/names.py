"""Samplers and schedules by their A1111 names. Plain Python: the wrapper checks names with it, the script draws."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampler:
    """One sampler. `automatic`: the schedule that A1111 means by "Automatic". `own_steps`: takes no other schedule.

    `drop`: the last sigma but one is left out, as k-diffusion's second-order samplers want it.
    """

    name: str
    automatic: str = "Uniform"
    drop: bool = False
    own_steps: bool = False


SAMPLERS = (
    Sampler("Euler"),
    Sampler("Euler a"),
    Sampler("LMS"),
    Sampler("Heun"),
    Sampler("DPM2", "Karras", drop=True),
    Sampler("DPM2 a", "Karras", drop=True),
    Sampler("DPM++ 2S a", "Karras"),
    Sampler("DPM++ 2M", "Karras"),
    Sampler("DPM++ SDE", "Karras"),
    Sampler("DPM++ 2M SDE", "Exponential"),
    Sampler("DPM++ 2M SDE Heun", "Exponential"),
    Sampler("DPM++ 3M SDE", "Exponential", drop=True),
    Sampler("LCM", "SGM Uniform"),
    Sampler("UniPC", "SGM Uniform"),
    Sampler("DDIM", own_steps=True),
    Sampler("PLMS", own_steps=True),
)
"""Source: A1111 1.10, the names and what "Automatic" stands for."""

SCHEDULES = (
    *("Automatic", "Uniform", "Karras", "Exponential", "Polyexponential", "SGM Uniform"),
    *("KL Optimal", "Align Your Steps", "Simple", "Normal", "DDIM", "Beta"),
)
_OTHER_NAMES = {"pndm": "plms", "unipc bh1": "unipc", "dpm++ 2s ancestral": "dpm++ 2s a", "euler ancestral": "euler a"}


def find_sampler(name: str) -> Sampler | None:
    """Give the sampler of that name, whatever its case, or None."""
    wanted = _OTHER_NAMES.get(name.strip().lower(), name.strip().lower())
    return next((each for each in SAMPLERS if each.name.lower() == wanted), None)


def find_schedule(name: str) -> str | None:
    """Give the schedule of that name as A1111 spells it, or None; an empty name is "Automatic"."""
    wanted = name.strip().lower() or "automatic"
    return next((each for each in SCHEDULES if each.lower() == wanted), None)


def split_sampler(name: str) -> tuple[str, str]:
    """Split what A1111 wrote as one name until 2024: "DPM++ 2M Karras" is ("DPM++ 2M", "Karras").

    A name without a schedule, or of no known sampler, comes back as it is, with "Automatic".
    """
    for schedule in sorted(SCHEDULES, key=len, reverse=True):
        head = name.strip()[: -len(schedule)]
        if name.strip().lower().endswith(f" {schedule.lower()}") and find_sampler(head):
            return head.strip(), schedule
    return name.strip(), "Automatic"
