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

    def __init__(
        self, files: Mapping[str, Path], ids: Callable[[str], Sequence[int]], widths: Sequence[tuple[str, int]]
    ) -> None:
        """Take files by name, what gives a text's tokens, and of each text encoder its tensor's name and width."""
        self._files = files
        self._widths = widths
        self._ids = {name: list(ids(name)) for name in files}
        self._vectors: dict[str, list[torch.Tensor]] = {}

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
            found[name] = (self._ids[name], len(self.vectors(name)[0]))
        return found

    def vectors(self, name: str) -> list[torch.Tensor]:
        """Give an embedding's vectors for each text encoder, places x width."""
        if name not in self._vectors:
            self._vectors[name] = self._read(name, self._files[name])
        return self._vectors[name]

    def _read(self, name: str, path: Path) -> list[torch.Tensor]:
        try:
            tensors = load_file(path)
        except (SafetensorError, OSError) as error:
            raise Refused((f"the embedding {name} cannot be read: {error}", str(path), "fetch it again")) from error
        # A1111 calls its tensor emb_params, diffusers by the embedding's name; SDXL has one for each of its encoders.
        alone = next(iter(tensors.values())) if len(tensors) == len(self._widths) == 1 else None
        found = [tensors.get(key, alone) for key, _ in self._widths]
        fits = all(_fits(vectors, width) for vectors, (_, width) in zip(found, self._widths, strict=True))
        if not fits or len({each.numel() // each.shape[-1] for each in found}) > 1:
            wide = " and ".join(str(width) for _, width in self._widths)
            what = f"the embedding {name} is not for this base model, whose vectors are {wide} wide"
            raise Refused((what, str(path), "take it out of the prompt, or draw with the model it was made for"))
        return [each.reshape(-1, each.shape[-1]) for each in found]


def _fits(vectors: torch.Tensor | None, width: int) -> bool:
    fits = vectors is not None and vectors.ndim in {1, 2} and vectors.shape[-1] == width
    return fits and 0 < vectors.numel() <= CHUNK * width
