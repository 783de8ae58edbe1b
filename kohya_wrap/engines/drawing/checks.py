"""What can be known of pictures before anything is loaded: samplers, sizes, LoRAs that are there."""

from collections.abc import Iterator, Sequence

from kohya_wrap.engines.drawing.scripts.names import SAMPLERS, SCHEDULES, find_sampler, find_schedule
from kohya_wrap.engines.drawing.types import Picture
from kohya_wrap.errors import Problem

STEP = 8
"""Sides of a picture are multiples of it, because a latent stands for 8 x 8 pixels."""

LONGEST = 10_000
"""Characters of a prompt: some 40 windows of the text encoder."""


def sampler_problems(sampler: str, schedule: str, *, where: str = "") -> Iterator[Problem]:
    """Say which of the two A1111 names the drawer does not know, with all that it knows."""
    if find_sampler(sampler) is None:
        known = ", ".join(each.name for each in SAMPLERS)
        yield Problem(where, f"no sampler is called {sampler!r}", f"choose one of {known}", code="unknown-sampler")
    if find_schedule(schedule) is None:
        known = ", ".join(SCHEDULES)
        yield Problem(where, f"no schedule is called {schedule!r}", f"choose one of {known}", code="unknown-schedule")


def picture_problems(pictures: Sequence[Picture]) -> tuple[Problem, ...]:
    """List what is wrong with pictures, each thing once."""
    return tuple(dict.fromkeys(problem for picture in pictures for problem in _problems(picture)))


def _problems(picture: Picture) -> Iterator[Problem]:
    yield from sampler_problems(picture.sampler, picture.schedule)
    if picture.width % STEP or picture.height % STEP or min(picture.width, picture.height) < STEP:
        what = f"{picture.width}x{picture.height} cannot be drawn: both sides must be multiples of {STEP}"
        yield Problem("", what, f"for one {picture.width // STEP * STEP}x{picture.height // STEP * STEP}")
    if picture.steps < 1:
        yield Problem("", f"{picture.steps} steps draw nothing", "ask for 1 or more")
    if picture.clip_skip < 1:
        yield Problem("", f"clip skip {picture.clip_skip} names no layer", "1 is the last layer")
    if len(picture.prompt) > LONGEST or len(picture.negative_prompt) > LONGEST:
        length = max(len(picture.prompt), len(picture.negative_prompt))
        yield Problem("", f"a prompt of {length} characters is too long", f"shorten it to {LONGEST}")
    for lora in picture.loras:
        if not lora.path.is_file():
            yield Problem(str(lora.path), f"the LoRA {lora.name} is not there")
    if not picture.target.parent.is_dir():
        yield Problem(str(picture.target.parent), "the folder of a picture is not there")
