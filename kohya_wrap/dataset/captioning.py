"""What captions a picture in words: the model's files, the options, and what is told of each picture."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kohya_wrap.errors import DatasetError
from kohya_wrap.paths import expanded

BLIP = "Salesforce/blip-image-captioning-large"
FILES = ("config.json", "preprocessor_config.json", "tokenizer_config.json", "vocab.txt", "model.safetensors")
"""Of a BLIP model, as transformers writes it; weights as a pickle are never asked for."""
Fetch = Callable[[str, str], Path]
"""Gives a file of a repository: (user/name, file)."""
OnCaption = Callable[[Path, str, str], None]
"""Takes a picture, its caption, and why there is none."""


@dataclass(frozen=True, slots=True)
class BlipOptions:
    """`caption_min`, `caption_max`: tokens, as in the notebook.

    `num_beams`: 1 takes the likeliest word each time, as the notebook did: it asked for beam search and left it at one.
    """

    caption_min: int = 10
    caption_max: int = 75
    num_beams: int = 3
    batch_size: int = 8


class Captioner(Protocol):
    """Captions pictures, in their order; gives the name of the device that ran."""

    def __call__(self, pictures: Sequence[Path], options: BlipOptions, *, on_caption: OnCaption) -> str:
        """Raises DatasetError."""
        ...


def model_files(name: str, fetch: Fetch) -> Mapping[str, Path]:
    """Find the files of a model: a folder, or a repository (user/name[@revision]).

    Raises DatasetError, and what `fetch` raises.
    """
    folder = expanded(name)
    if not folder.is_dir():
        user, slash, repo = name.partition("/")
        if not (slash and user and repo) or "/" in repo or user in {".", "..", "~"}:
            todo = "give a repository (user/name), or a folder"
            raise DatasetError("is no model that captions", where=name, todo=todo)
        return {file: fetch(name, file) for file in FILES}
    absent = [file for file in FILES if not (folder / file).is_file()]
    if absent:
        pickled = "model.safetensors" in absent and (folder / "pytorch_model.bin").is_file()
        what = "has its weights as a pickle only, which is not loaded" if pickled else f"has no {', '.join(absent)}"
        raise DatasetError(what, where=name, todo="give a BLIP model as transformers saves it, with model.safetensors")
    return {file: folder / file for file in FILES}
