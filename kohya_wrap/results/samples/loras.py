"""Other LoRAs that a prompt asks for by <lora:NAME:WEIGHT>: found by their file's name in given folders."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.errors import BadResultError, Problem
from kohya_wrap.results.lora_file import hashes, read_lora
from kohya_wrap.results.samples.prompts import Prompt

_ENDING = ".safetensors"


@dataclass(frozen=True, slots=True)
class FoundLora:
    """A LoRA that is not the run's own. `name`: as the prompt calls it."""

    name: str
    path: Path
    tensors_sha256: str


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
            what = "is not found, and pictures are drawn without it"
        except BadResultError as error:
            what = f"cannot be used, and pictures are drawn without it: {error.what}"
        todo = f"put {name}{_ENDING} into one of: {', '.join(map(str, places))}"
        problems.append(Problem(f"<lora:{name}>", what, todo, severity="warning"))
    return found, tuple(problems)


def _find(name: str, folders: Sequence[Path]) -> FoundLora | None:
    if Path(name).name != name:
        return None
    for folder in folders:
        path = folder / f"{name}{_ENDING}"
        if path.is_file():
            return FoundLora(name, path, hashes(read_lora(path, todo="take it out of the prompt"))[1])
    return None
