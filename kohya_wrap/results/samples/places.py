"""Where LoRAs and embeddings that prompts name are looked for."""

from pathlib import Path

from kohya_wrap.config.samples import SamplesConfig
from kohya_wrap.paths import ProjectPaths, expanded


def lora_folders(project: ProjectPaths, samples: SamplesConfig) -> tuple[Path, ...]:
    """Give the folders for <lora:NAME:…>: the preset's, this project's output, those of the others."""
    others = project.main.glob("*/output" if project.structure == "project" else "output/*")
    return tuple(dict.fromkeys((*_placed(samples.lora_folders, project), project.output, *sorted(others))))


def embedding_folders(project: ProjectPaths, samples: SamplesConfig) -> tuple[Path, ...]:
    """Give the folders for embeddings: the preset's, then `embeddings` beside the folder of all projects."""
    return (*_placed(samples.embedding_folders, project), project.root / "embeddings")


def _placed(given: tuple[str, ...], project: ProjectPaths) -> tuple[Path, ...]:
    return tuple(project.root / expanded(folder) for folder in given)
