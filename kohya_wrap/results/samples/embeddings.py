"""Embeddings (textual inversions) that a prompt names: found by their file's name in given folders.

A prompt does not say which of its words are embeddings. Those that everybody uses are known here by name, so that a
prompt copied from elsewhere does not silently draw without them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.errors import Problem
from kohya_wrap.files import sha256_file
from kohya_wrap.results.samples.prompts import Prompt

_ENDINGS = (".safetensors", ".pt", ".bin")
_KNOWN = (
    *("EasyNegative", "EasyNegativeV2", "badhandv4", "bad-hands-5", "bad-image-v2-39000", "bad-image-v2", "bad-artist"),
    *("bad-artist-anime", "bad_prompt_version2", "bad_prompt", "ng_deepnegative_v1_75t", "verybadimagenegative_v1.3"),
    *(
        "negative_hand-neg",
        "BadDream",
        "UnrealisticDream",
        "FastNegativeV2",
        "BadNegAnatomyV1-neg",
        "CyberRealistic_Negative",
    ),
    *("boring_e621", "boring_e621_v4", "deformityv6"),
)
"""Embeddings, mostly for negative prompts, that prompts of Stable Diffusion 1.x are full of. Source: Civitai."""


@dataclass(frozen=True, slots=True)
class FoundEmbedding:
    """An embedding's file and its SHA256."""

    name: str
    path: Path
    sha256: str


def find_embeddings(
    prompts: Sequence[Prompt], folders: Iterable[Path]
) -> tuple[dict[str, FoundEmbedding], tuple[Problem, ...]]:
    """Find the embeddings that prompts name, the first folder first; those known to be some and not found are said."""
    places = tuple(folders)
    files: dict[str, Path] = {}
    for folder in places:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix.lower() in _ENDINGS and path.is_file():
                files.setdefault(path.stem, path)
    found = {
        name: FoundEmbedding(name, path, sha256_file(path))
        for name, path in files.items()
        if any(names(prompt, name) for prompt in prompts)
    }
    there = {name.casefold() for name in found}
    said = dict.fromkeys(name for prompt in prompts for name in (*prompt.embeddings, *_known_in(prompt)))
    missing = [name for name in said if name.casefold() not in there]
    what = "is not found, and its name is read as plain words"
    todo = f"put {{}}.safetensors into one of: {', '.join(map(str, places))}"
    return found, tuple(Problem(f"embedding {name}", what, todo.format(name), severity="warning") for name in missing)


def names(prompt: Prompt, name: str) -> bool:
    """Say whether a prompt names an embedding, whatever its case."""
    return _pattern((name,)).search(_text(prompt)) is not None


def used(prompt: Prompt, found: Mapping[str, FoundEmbedding]) -> tuple[FoundEmbedding, ...]:
    """Give the embeddings of one prompt."""
    return tuple(each for name, each in found.items() if names(prompt, name))


def _known_in(prompt: Prompt) -> list[str]:
    return [match[0] for match in _pattern(_KNOWN).finditer(_text(prompt))]


def _text(prompt: Prompt) -> str:
    return f"{prompt.text}\n{prompt.negative_prompt}"


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    longest_first = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:{longest_first})(?![\w-])", re.IGNORECASE)
