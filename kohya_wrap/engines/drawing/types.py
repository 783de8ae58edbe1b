"""What crosses the boundary of drawing: the pictures that are wanted, and what draws them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class UsedLora:
    """A LoRA of a picture. `name`: as <lora:NAME:…> says it. `weight`: of U-Net and text encoder; never 0."""

    name: str
    path: Path
    weight: float


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture to draw, all of it said.

    `target`: its PNG, in a folder that is there. `prompt`: as A1111 reads it, without <lora:…>. `sampler`, `schedule`:
    by their A1111 names, "DPM++ 2M" and "Karras" ("Automatic": the sampler's own). `width`, `height`: pixels.
    `clip_skip`: counted as A1111 counts, 1 reads the last layer. `parameters`: text for the PNG's chunk of that name.
    """

    target: Path
    prompt: str
    negative_prompt: str
    seed: int
    steps: int
    cfg_scale: float
    sampler: str
    schedule: str
    width: int
    height: int
    clip_skip: int
    loras: tuple[UsedLora, ...] = ()
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture that is done. `seconds`: it took, without loading the model. `notes`: what was left out, in words."""

    picture: Picture
    seconds: float
    notes: tuple[str, ...] = ()


OnDrawn = Callable[[Drawn], None]


class Drawer(Protocol):
    """One way to draw: diffusers in the engine's environment, or the server of a web UI."""

    def draw(self, pictures: Sequence[Picture], *, on_drawn: OnDrawn) -> None:
        """Draw all of them, in this order, each whole at its target or not at all; the model is loaded once.

        Raises DrawingError; what was drawn stays.
        """
        ...
