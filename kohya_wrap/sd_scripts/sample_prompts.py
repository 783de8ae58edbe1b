"""The file of prompts that sd-scripts draws while it trains, and the options that ask for it.

As JSON, because in a .txt a prompt ends at the first line break and at the first " --".
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kohya_wrap.sd_scripts.job import TrainingJob

SAMPLERS: Mapping[str, str] = {
    "Euler": "euler",
    "Euler a": "euler_a",
    "LMS": "lms",
    "Heun": "heun",
    "DPM2": "dpm_2",
    "DPM2 a": "dpm_2_a",
    "DPM++ 2M": "dpmsolver++",
    "DPM++ 2S a": "dpmsingle",
    "PLMS": "pndm",
    "DDIM": "ddim",
}
"""A1111's name of a sampler to sd-scripts'; schedules it has none. Source: sd-scripts, get_my_scheduler."""
OTHERWISE = "dpmsolver++"
"""For samplers that sd-scripts does not have: DPM++ SDE, UniPC and their like."""


@dataclass(frozen=True, slots=True)
class SamplePrompt:
    """One picture to draw at each epoch that is saved. `sampler`: by its A1111 name; sides in pixels."""

    prompt: str
    negative_prompt: str
    seed: int
    steps: int
    cfg_scale: float
    sampler: str
    width: int
    height: int


def sample_prompts_json(prompts: Iterable[SamplePrompt]) -> str:
    """Give the text of the prompts' file. Source: sd-scripts, sample_image_inference."""
    listed = [
        {
            "prompt": each.prompt,
            "negative_prompt": each.negative_prompt,
            "width": each.width,
            "height": each.height,
            "seed": each.seed,
            "sample_steps": each.steps,
            "scale": each.cfg_scale,
            "sample_sampler": SAMPLERS.get(each.sampler, OTHERWISE),
        }
        for each in prompts
    ]
    return json.dumps(listed, indent=1, ensure_ascii=False) + "\n"


def sample_options(job: TrainingJob) -> dict[str, object]:
    """Give the options that make sd-scripts draw whenever it saves an epoch; none where that is not asked for."""
    if not job.config.samples.draws_while_training:
        return {}
    every = job.config.steps.save_every_n_epochs or 1
    return {"sample_every_n_epochs": every, "sample_prompts": str(job.run.sample_prompts)}
