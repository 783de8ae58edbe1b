"""What sd-scripts draws while it trains, where a preset asks for it."""

import json

import pytest
from helpers_sd_scripts import Shape, make_job

from kohya_wrap.sd_scripts import SamplePrompt, sample_prompts_json
from kohya_wrap.sd_scripts.options import options
from kohya_wrap.sd_scripts.sample_prompts import OTHERWISE, SAMPLERS, sample_options

PROMPT = SamplePrompt('a wolf, --w 9\n"blue" eyes', "bad", 0, 24, 9, "DPM++ 2M", 512, 720)


def test_a_prompt_stays_as_it_is() -> None:
    """Line breaks, quotes and dashes, which end a prompt in a text file, and seed 0."""
    (read,) = json.loads(sample_prompts_json([PROMPT]))
    assert read == {
        "prompt": PROMPT.prompt,
        "negative_prompt": "bad",
        "width": 512,
        "height": 720,
        "seed": 0,
        "sample_steps": 24,
        "scale": 9,
        "sample_sampler": "dpmsolver++",
    }


def test_samplers_are_those_of_the_engine() -> None:
    """Each name that a prompt can turn into is one that sd-scripts takes."""
    assert {*SAMPLERS.values(), OTHERWISE} <= set(options()["sample_sampler"].choices or ())


def test_it_draws_whenever_it_saves() -> None:
    """Every second epoch here, with the file in the run's folder; nothing where it is not asked for."""
    tables: dict[str, dict[str, object]] = {
        "samples": {"prompts": ["a wolf"], "while_training": True},
        "steps": {"save_every_n_epochs": 2},
    }
    job = make_job(Shape(tables))
    assert sample_options(job) == {
        "sample_every_n_epochs": 2,
        "sample_prompts": str(job.run.folder / "sample_prompts.json"),
    }


@pytest.mark.parametrize("samples", [{"prompts": ["a wolf"]}, {"while_training": True}])
def test_it_is_not_asked_for_by_half(samples: dict[str, object]) -> None:
    """Prompts alone are drawn afterwards; without prompts there is nothing, and a run that would fail late."""
    assert sample_options(make_job(Shape({"samples": samples}))) == {}
