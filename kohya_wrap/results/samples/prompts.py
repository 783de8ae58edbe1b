"""A prompt of [samples] with all that it needs: its own parameters first, then the table's fields."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kohya_wrap.config.samples import SamplesConfig
from kohya_wrap.engines.drawing.checks import sampler_problems
from kohya_wrap.errors import Problem
from kohya_wrap.results.parameters import Parameters, parse_text
from kohya_wrap.results.parameters.types import number

_TAG = re.compile(r"<(lora|lyco|lycoris|hypernet):([^<>:\n]{1,300})((?::[^<>:\n]{0,100}){0,6})>", re.IGNORECASE)
_OWN = "<\0>"
"""Stands in a text where the tag of this run's LoRA stood."""
ACTIVATION_TAG = "{activation_tag}"
"""Stands in a prompt for the tag that calls the character."""
_NO_TAG = re.compile(r"\{activation_tag\},?[ \t]*")
_SIDE = 8
_MOST_STEPS = 150
_LARGEST_SIDE = 4096
_LAYERS = 12
_SEEDS = 2**63
_LEFT_OUT = ("Hires upscale", "Hires upscaler", "Face restoration", "Refiner", "Variation seed", "Tiling", "ENSD")
"""Settings that change a picture and that are not drawn."""


@dataclass(frozen=True, slots=True)
class LoraTag:
    """<lora:NAME:WEIGHT> in a prompt; the weight is that of the U-Net."""

    name: str
    weight: float


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt to draw. `number`: its place in the list, from 1. `text`: without any <lora:…>.

    `loras`: those it asks for, this run's own left out. `embeddings`: those that its parameters list. `notes`: what of
    it is not drawn. `problems`: why it cannot be drawn at all. The other fields are as those of drawing's Picture.
    """

    number: int
    text: str
    negative_prompt: str
    seed: int
    steps: int
    cfg_scale: float
    sampler: str
    schedule: str
    width: int
    height: int
    clip_skip: int
    loras: tuple[LoraTag, ...] = ()
    embeddings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    marked: str = field(default="", repr=False)

    def with_tags(self, own: str, others: str = "") -> str:
        """Give the prompt as A1111 writes it: the run's own tag where the prompt has it, else all at the end."""
        if _OWN in self.marked:
            text = self.marked.replace(_OWN, own, 1).replace(_OWN, "")
            return " ".join(part for part in (text.strip(), others) if part)
        return " ".join(part for part in (self.text.strip(), others, own) if part)


def read_prompts(samples: SamplesConfig, project: str, *, activation_tag: str = "") -> tuple[Prompt, ...]:
    """Read every prompt of a table; `project` is the name by which prompts call this run's own LoRA."""
    texts = (_with_activation_tag(text, activation_tag) for text in samples.prompts)
    return tuple(_read(text, index, samples, project) for index, text in enumerate(texts, start=1))


def _with_activation_tag(text: str, tag: str) -> str:
    """Put the tag in its place; where there is none, the comma behind it goes, too."""
    return text.replace(ACTIVATION_TAG, tag) if tag else _NO_TAG.sub("", text)


def prompt_problems(prompts: tuple[Prompt, ...]) -> tuple[Problem, ...]:
    """Give what keeps prompts from being drawn, and what of them is left out.

    What a prompt itself says is no reason not to train, and a warning; what the table says is an error.
    """
    found: list[Problem] = []
    for prompt in prompts:
        found += prompt.problems
        found += [Problem(_where(prompt.number), note, severity="warning") for note in prompt.notes]
    return tuple(dict.fromkeys(found))


def _where(number: int) -> str:
    return f"samples.prompts, number {number}"


def _read(text: str, index: int, samples: SamplesConfig, project: str) -> Prompt:
    said = parse_text(text)
    table = Parameters(prompt="", settings={"Sampler": samples.sampler})
    size = said.size or (samples.width, samples.height)
    marked, loras, notes = _without_tags(said.prompt, project)
    negative, others, more = _without_tags(said.negative_prompt or samples.negative_prompt, project)
    chosen = said if said.sampler else table
    return Prompt(
        number=index,
        text=marked.replace(_OWN, ""),
        marked=marked,
        negative_prompt=negative.replace(_OWN, ""),
        seed=said.seed if said.seed is not None and said.seed >= 0 else samples.sample_seed,
        steps=samples.steps if said.steps is None else said.steps,
        cfg_scale=samples.cfg_scale if said.cfg_scale is None else said.cfg_scale,
        sampler=chosen.sampler,
        schedule=chosen.schedule,
        width=size[0],
        height=size[1],
        clip_skip=said.clip_skip if "Clip skip" in said.settings else samples.sample_clip_skip,
        loras=(*loras, *others),
        embeddings=tuple(each.name for each in said.embeddings),
        notes=(*notes, *more, *_notes(said, samples)),
        problems=(*_problems(said, size, index), *_sampler_problems(said, chosen, samples, index)),
    )


def _without_tags(text: str, project: str) -> tuple[str, list[LoraTag], list[str]]:
    """Take the tags of extra networks out, as A1111 does before it reads a prompt."""
    loras: list[LoraTag] = []
    notes: list[str] = []
    own = re.compile(rf"{re.escape(project)}(?:-\d+)?")

    def take(match: re.Match[str]) -> str:
        name = match[2].strip()
        if match[1].lower() == "hypernet":
            notes.append(f"the hypernetwork {name} is left out")
        elif own.fullmatch(name):
            return _OWN
        else:
            unet, text_encoder = _weights(match[3])
            loras.append(LoraTag(name, unet))
            if unet != text_encoder:
                notes.append(f"the LoRA {name} is drawn with {unet:g} in text encoder and U-Net alike")
        return ""

    return _TAG.sub(take, text), [lora for lora in loras if lora.weight], notes


def _weights(arguments: str) -> tuple[float, float]:
    """Give (U-Net, text encoder) of ":0.8", ":0.5:0.8", ":te=0.5:unet=0.8" or nothing. Source: A1111's Lora."""
    plain: list[float] = []
    named: dict[str, float] = {}
    for part in arguments.split(":")[1:]:
        key, equals, text = part.rpartition("=")
        weight = number(text)
        if weight is not None and equals:
            named[key.strip()] = weight
        elif weight is not None:
            plain.append(weight)
    text_encoder = named.get("te", plain[0] if plain else 1.0)
    return named.get("unet", plain[1] if len(plain) > 1 else text_encoder), text_encoder


def _notes(said: Parameters, samples: SamplesConfig) -> Iterator[str]:
    if said.seed is not None and said.seed < 0:
        yield f"its seed is {said.seed}, a random one; {samples.sample_seed} is taken"
    if left := [key for key in _LEFT_OUT if key in said.settings]:
        yield f"is drawn without {', '.join(left)}"
    if "Denoising strength" in said.settings and not left:
        yield "is drawn from noise alone: what an img2img picture was made from is not in its parameters"


def _sampler_problems(said: Parameters, chosen: Parameters, samples: SamplesConfig, index: int) -> Iterator[Problem]:
    """Say which sampler is not known; a server's are known to it alone."""
    if samples.draw_with != "diffusers":
        return
    for problem in sampler_problems(chosen.sampler, chosen.schedule):
        if chosen is said:
            yield Problem(_where(index), f"cannot be drawn: {problem.what}", problem.todo, severity="warning")
        else:
            yield Problem("samples.sampler", problem.what, problem.todo)


def _problems(said: Parameters, size: tuple[int, int], index: int) -> Iterator[Problem]:
    def problem(what: str, todo: str) -> Problem:
        return Problem(_where(index), f"cannot be drawn: {what}", todo, severity="warning")

    if not said.prompt and not said.negative_prompt:
        yield problem("it is empty", "write a prompt, or take the line out")
    if any(side % _SIDE or not 64 <= side <= _LARGEST_SIDE for side in size):
        what = f"its size is {size[0]}x{size[1]}"
        yield problem(what, f"give sides that {_SIDE} divides, from 64 to {_LARGEST_SIDE}: Size: 512x768")
    if said.steps is not None and not 1 <= said.steps <= _MOST_STEPS:
        yield problem(f"it wants {said.steps} steps", f"give 1 to {_MOST_STEPS}")
    if not 1 <= said.clip_skip <= _LAYERS:
        yield problem(f"its clip skip is {said.clip_skip}", f"give 1 to {_LAYERS}")
    if (said.seed or 0) >= _SEEDS:
        yield problem(f"its seed is {said.seed}", "give one of at most 19 digits")
