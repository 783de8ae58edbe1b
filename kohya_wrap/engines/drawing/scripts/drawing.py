"""Drawing one picture after the other on a base model that stays."""

from pathlib import Path
from typing import Any

import torch
from base import load_base
from beside import LorasBeside
from conditioning import Prompts
from denoising import Denoiser, Guidance
from lora import Loras
from modules import modules_of
from names import find_sampler, find_schedule
from pixels import decode, write_png
from samplers import SAMPLE
from sigmas import own_steps, sigmas_for

FACTOR = 8
"""Pixels to a side of a latent."""


class Drawing:
    """The loaded model and what is done with it."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._device = "cuda" if job["device"] != "cpu" and torch.cuda.is_available() else "cpu"
        usual = "fp32" if self._device == "cpu" else "fp16"
        dtype = {"fp16": torch.float16, "fp32": torch.float32}[job["precision"] or usual]
        self._base = load_base(job, self._device, dtype)
        kind = LorasBeside if self._base.family.loras_beside else Loras
        self.loras = kind(modules_of(self._base))
        embeddings = {name: Path(path) for name, path in job["embeddings"].items()}
        self._prompts = Prompts(self._base.tokenizer, self._base.texts, embeddings)

    def draw(self, picture: dict[str, Any]) -> list[str]:
        """Draw a picture to its target and give what was left out. Raises Refused or OSError."""
        notes: list[str] = []
        self.loras.apply(tuple((Path(lora["path"]), lora["weight"]) for lora in picture["loras"]))
        latents = self._sample(picture, self._guidance(picture, notes), notes)
        write_png(decode(self._base.vae, latents, notes), Path(picture["target"]), picture["parameters"])
        return list(dict.fromkeys(notes))

    def _guidance(self, picture: dict[str, Any], notes: list[str]) -> Guidance:
        scale, how = picture["cfg_scale"], {"clip_skip": picture["clip_skip"], "steps": picture["steps"]}
        wanted = self._prompts.encode(picture["prompt"], **how, notes=notes)
        unwanted = self._prompts.encode(picture["negative_prompt"], **how, notes=notes) if scale != 1 else ()
        if self._base.family.zero_empty and not picture["negative_prompt"]:
            unwanted = [each.zeros() for each in unwanted]
        return Guidance(wanted, unwanted, scale, (picture["height"], picture["width"]))

    def _sample(self, picture: dict[str, Any], guidance: Guidance, notes: list[str]) -> torch.Tensor:
        """Give latents. All noise comes from one generator on the CPU, so that every device draws the same."""
        sampler, schedule = find_sampler(picture["sampler"]), find_schedule(picture["schedule"])
        shape = (1, 4, picture["height"] // FACTOR, picture["width"] // FACTOR)
        generator = torch.Generator("cpu").manual_seed(picture["seed"])

        def noise() -> torch.Tensor:
            return torch.randn(shape, generator=generator).to(self._device)

        if not sampler.own_steps:
            sigmas = sigmas_for(sampler, schedule, picture["steps"], self._base.noise)
            denoiser = Denoiser(self._base, guidance, sigmas)
            return SAMPLE[sampler.name](denoiser, noise() * sigmas[0], sigmas, noise)
        if schedule not in {"Automatic", "Uniform"}:
            notes.append(f"{sampler.name} goes its own steps; the schedule {schedule} is not used")
        sigmas = own_steps(picture["steps"], self._base.noise)
        denoiser = Denoiser(self._base, guidance, sigmas)
        # These begin with pure noise in the model's own scale, and end there: sigma is never quite 0.
        latents = SAMPLE[sampler.name](denoiser, noise() * (sigmas[0] ** 2 + 1) ** 0.5, sigmas, noise)
        return latents / (sigmas[-1] ** 2 + 1) ** 0.5
