"""Textual inversions: vectors that stand in a prompt for a name. Source: Gal et al. 2022, arXiv 2208.01618."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from chunks import CHUNK
from lines import Refused
from safetensors import SafetensorError
from safetensors.torch import load_file


class Embeddings:
    """The textual inversions of a job, each read where a prompt first names it."""

    def __init__(self, files: Mapping[str, Path], ids: Callable[[str], Sequence[int]], width: int) -> None:
        """Take files by name, what gives a text's tokens, and how wide the text encoder's vectors are."""
        self._files = files
        self._width = width
        self._ids = {name: list(ids(name)) for name in files}
        self._vectors: dict[str, torch.Tensor] = {}

    def named(self, prompt: str, notes: list[str]) -> dict[str, tuple[list[int], int]]:
        """Give those that the prompt may name, with their tokens and places. Raises Refused for one it cannot use.

        Pickles run code when they are read, and are left out with a note.
        """
        found = {}
        for name, path in self._files.items():
            if name.lower() not in prompt.lower():
                continue
            if path.suffix.lower() != ".safetensors":
                notes.append(f"the embedding {name} is left out: {path.name} is a pickle; give it as .safetensors")
                continue
            found[name] = (self._ids[name], len(self.vectors(name)))
        return found

    def vectors(self, name: str) -> torch.Tensor:
        """Give an embedding's vectors, places x width."""
        if name not in self._vectors:
            self._vectors[name] = self._read(name, self._files[name])
        return self._vectors[name]

    def _read(self, name: str, path: Path) -> torch.Tensor:
        try:
            tensors = load_file(path)
        except (SafetensorError, OSError) as error:
            raise Refused((f"the embedding {name} cannot be read: {error}", str(path), "fetch it again")) from error
        # A1111 calls its tensor emb_params, diffusers by the embedding's name; SDXL has one for each of its encoders.
        vectors = tensors.get("emb_params", next(iter(tensors.values())) if len(tensors) == 1 else None)
        fits = vectors is not None and vectors.ndim in {1, 2} and vectors.shape[-1] == self._width
        if not fits or not 0 < vectors.numel() <= CHUNK * self._width:
            what = f"the embedding {name} is not for this base model, whose vectors are {self._width} wide"
            raise Refused((what, str(path), "take it out of the prompt, or draw with the model it was made for"))
        return vectors.reshape(-1, self._width)
