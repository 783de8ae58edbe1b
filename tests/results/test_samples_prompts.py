"""Prompts of [samples]: their own parameters first, then the table's; tags of LoRAs; what cannot be drawn."""

import pytest

from kohya_wrap.config.samples import SamplesConfig
from kohya_wrap.results.samples.prompts import LoraTag, Prompt, prompt_problems, read_prompts

TABLE = {
    "negative_prompt": "blurry",
    "sample_seed": 7,
    "steps": 11,
    "cfg_scale": 5,
    "sampler": "DPM++ 2M Karras",
    "width": 128,
    "height": 192,
    "sample_clip_skip": 2,
}


def read(text: str, **changes: object) -> Prompt:
    (prompt,) = read_prompts(SamplesConfig.model_validate({"prompts": [text], **TABLE, **changes}), "tiger")
    return prompt


def test_a_plain_prompt_takes_everything_from_the_table() -> None:
    """Negative prompt, seed, steps, CFG scale, sampler with its schedule, size, clip skip."""
    prompt = read("a wolf")
    assert (prompt.text, prompt.negative_prompt, prompt.seed, prompt.steps) == ("a wolf", "blurry", 7, 11)
    assert (prompt.cfg_scale, prompt.sampler, prompt.schedule) == (5, "DPM++ 2M", "Karras")
    assert (prompt.width, prompt.height, prompt.clip_skip) == (128, 192, 2)
    assert (prompt.notes, prompt.problems) == ((), ())


def test_what_a_prompt_says_goes_before_the_table() -> None:
    """All of it, seed 0 and clip skip 1 too."""
    said = (
        "Steps: 24, Sampler: Euler a, Schedule type: Simple, CFG scale: 9, Seed: 0, Size: 512x720, Clip skip: 1, "
        "Model hash: 167e5bcb37"
    )
    prompt = read(f"a wolf,\nblue eyes\nNegative prompt: bad\n{said}")
    assert (prompt.text, prompt.negative_prompt, prompt.seed, prompt.steps) == ("a wolf,\nblue eyes", "bad", 0, 24)
    assert (prompt.cfg_scale, prompt.sampler, prompt.schedule) == (9, "Euler a", "Simple")
    assert (prompt.width, prompt.height, prompt.clip_skip) == (512, 720, 1)


def test_a_sampler_of_its_own_brings_its_own_schedule() -> None:
    """The table's Karras is that of the table's sampler, and not of the prompt's."""
    prompt = read("a wolf\nSteps: 5, Sampler: Euler, Seed: 1")
    assert (prompt.sampler, prompt.schedule) == ("Euler", "Automatic")


@pytest.mark.parametrize("name", ["tiger", "tiger-03", "tiger-000004"])
def test_the_runs_own_lora_gives_way_to_the_grids(name: str) -> None:
    """Whatever epoch the prompt names, its tag is the place for the grid's."""
    prompt = read(f"a <lora:{name}:0.8> wolf")
    assert (prompt.loras, "<" in prompt.text) == ((), False)
    assert prompt.with_tags("<lora:tiger-10:0.5>") == "a <lora:tiger-10:0.5> wolf"
    assert prompt.with_tags("") == "a  wolf"


def test_without_a_place_the_tag_stands_at_the_end() -> None:
    """As people write it."""
    assert read("a wolf").with_tags("<lora:tiger-10:0.5>", "<lora:b:1>") == "a wolf <lora:b:1> <lora:tiger-10:0.5>"


@pytest.mark.parametrize(
    ("tag", "lora"),
    [
        ("<lora:tiger2:0.8>", LoraTag("tiger2", 0.8)),
        ("<lora:style>", LoraTag("style", 1.0)),
        ("<lyco:style:-0.5>", LoraTag("style", -0.5)),
        ("<lora:style:1:0.5>", LoraTag("style", 0.5)),
        ("<lora:style:te=0.2:unet=0.9>", LoraTag("style", 0.9)),
        ("<LORA: my style :.5>", LoraTag("my style", 0.5)),
    ],
)
def test_other_loras_are_read_as_a1111_reads_them(tag: str, lora: LoraTag) -> None:
    """Name and weight of the U-Net; none of the tag stays in the prompt."""
    prompt = read(f"a wolf {tag}")
    assert prompt.loras == (lora,)
    assert prompt.text.strip() == "a wolf"


def test_a_weight_of_zero_asks_for_nothing() -> None:
    """A LoRA at 0 is not loaded."""
    assert read("a wolf <lora:style:0>").loras == ()


def test_what_is_left_out_is_said() -> None:
    """Hypernetworks, two weights in one tag, a second pass, a random seed: drawn without, with a note each."""
    prompt = read("a <hypernet:x:1> <lora:b:1:0.5>\nSteps: 5, Sampler: Euler, Seed: -1, Hires upscale: 2, Tiling: True")
    notes = "\n".join(prompt.notes)
    for said in ("hypernetwork x", "LoRA b is drawn with 0.5", "7 is taken", "Hires upscale, Tiling"):
        assert said in notes
    assert prompt.seed == 7
    assert {problem.severity for problem in prompt_problems((prompt,))} == {"warning"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("Steps: 5, Sampler: Euler, Size: 500x512", "its size is 500x512"),
        ("Steps: 5, Sampler: Euler, Size: 8192x512", "its size is 8192x512"),
        ("Steps: 500, Sampler: Euler, Seed: 1", "it wants 500 steps"),
        ("Steps: 0, Sampler: Euler, Seed: 1", "it wants 0 steps"),
        ("Steps: 5, Sampler: Euler, Clip skip: 40", "its clip skip is 40"),
        ("Steps: 5, Sampler: Euler, Seed: 99999999999999999999", "its seed is 99999999999999999999"),
        ("Steps: 5, Sampler: Restart 9, Seed: 1", "no sampler is called 'Restart 9'"),
        ("Steps: 5, Sampler: Euler, Schedule type: Odd", "no schedule is called 'Odd'"),
    ],
)
def test_a_prompt_that_cannot_be_drawn_is_a_warning(settings: str, said: str) -> None:
    """The training can go on without it; number and reason are said."""
    prompt = read(f"a wolf\n{settings}")
    (problem,) = prompt.problems
    assert said in problem.what
    assert (problem.where, problem.severity) == ("samples.prompts, number 1", "warning")


@pytest.mark.parametrize(
    ("tag", "prompt"), [("my wolf", "a wolf, my wolf, sitting, my wolf"), ("", "a wolf, sitting, ")]
)
def test_the_activation_tag_has_a_place(tag: str, prompt: str) -> None:
    """A preset's prompt fits whoever extends it; without a tag its comma goes, too."""
    samples = SamplesConfig(prompts=("a wolf, {activation_tag}, sitting, {activation_tag}",))
    assert read_prompts(samples, "tiger", activation_tag=tag)[0].text == prompt.strip()


def test_an_empty_prompt_is_said() -> None:
    """Nothing to draw."""
    assert "it is empty" in read(" \n ").problems[0].what


def test_a_sampler_of_the_table_is_an_error_once() -> None:
    """However many prompts use it; one that brings its own does not."""
    table = {**TABLE, "prompts": ["a", "b", "c\nSteps: 5, Sampler: Euler, Seed: 1"], "sampler": "Magic"}
    problems = prompt_problems(read_prompts(SamplesConfig.model_validate(table), "tiger"))
    assert [(problem.where, problem.severity) for problem in problems] == [("samples.sampler", "error")]


def test_a_server_knows_its_own_samplers() -> None:
    """What a fork has added is for the server to judge."""
    assert read("a wolf", sampler="Restart", draw_with="webui").problems == ()


def test_hostile_prompts_are_read_in_no_time() -> None:
    """Half a megabyte of beginnings of tags, under a second (the timeout of a regex that backtracks is minutes)."""
    text = "<lora:" * 40_000 + "<lora:a" + ":1" * 100_000
    assert read(text).number == 1
