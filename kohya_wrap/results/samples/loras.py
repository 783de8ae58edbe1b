"""Other LoRAs that a prompt asks for by <lora:NAME:WEIGHT>: found by their file's name in given folders."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.errors import BadResultError, Problem
from kohya_wrap.results.lora_file import hashes, read_lora
from kohya_wrap.results.samples.prompts import Prompt

_ENDING = ".safetensors"
_NOT_FOUND = "is not found, and pictures are drawn without it"


@dataclass(frozen=True, slots=True)
class FoundLora:
    """A LoRA that is not the run's own. `name`: as the prompt calls it."""

    name: str
    path: Path
    tensors_sha256: str


def lora_problems(prompts: Sequence[Prompt], folders: Iterable[Path]) -> tuple[Problem, ...]:
    """Say which LoRAs of prompts are not there, without reading those that are."""
    places = tuple(folders)
    names = dict.fromkeys(tag.name for prompt in prompts for tag in prompt.loras)
    return tuple(_missing(name, places, _NOT_FOUND) for name in names if _place(name, places) is None)


def find_loras(prompts: Sequence[Prompt], folders: Iterable[Path]) -> tuple[dict[str, FoundLora], tuple[Problem, ...]]:
    """Find the LoRAs that prompts ask for, the first folder first; those that are not found are said, and left out."""
    places = tuple(folders)
    found: dict[str, FoundLora] = {}
    problems: list[Problem] = []
    for name in dict.fromkeys(tag.name for prompt in prompts for tag in prompt.loras):
        try:
            if lora := _find(name, places):
                found[name] = lora
                continue
            problems.append(_missing(name, places, _NOT_FOUND))
        except BadResultError as error:
            what = f"cannot be used, and pictures are drawn without it: {error.what}"
            problems.append(_missing(name, places, what))
    return found, tuple(problems)


def _find(name: str, folders: Sequence[Path]) -> FoundLora | None:
    path = _place(name, folders)
    return FoundLora(name, path, hashes(read_lora(path, todo=""))[1]) if path else None


def _place(name: str, folders: Sequence[Path]) -> Path | None:
    if Path(name).name != name:
        return None
    paths = (folder / f"{name}{_ENDING}" for folder in folders)
    return next((path for path in paths if path.is_file()), None)


def _missing(name: str, folders: Sequence[Path], what: str) -> Problem:
    todo = f"put {name}{_ENDING} into one of: {', '.join(map(str, folders))}"
    return Problem(f"<lora:{name}>", what, todo, severity="warning")
