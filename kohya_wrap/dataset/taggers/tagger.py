"""What every tagger is to the verb `tag`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

Category = Literal["general", "character", "rating", "other"]
Fetch = Callable[[str, str], Path]
"""Gives a file of a repository of Hugging Face (`user/name` or `user/name@revision`, path) on this machine."""


@dataclass(frozen=True, slots=True)
class Label:
    """One thing that a tagger knows. `name` as the model's list has it, with underscores."""

    name: str
    category: Category


class Tagger(Protocol):
    """A model that gives every label a probability.

    Taggers of the same `input_key` take the same array, which is made once for both. `provider`: what it runs on.
    """

    name: str
    labels: tuple[Label, ...]
    provider: str
    input_key: str

    def prepare(self, image: "Image") -> "NDArray[np.uint8]":
        """Make one picture, RGB and upright, into what the model takes. Called in threads."""
        ...

    def probabilities(self, batch: "list[NDArray[Any]]") -> "NDArray[np.float32]":
        """Give N x labels, from 0 to 1. Raises DatasetError where the model gives something else."""
        ...

    def embeddings(self, batch: "list[NDArray[Any]]") -> "NDArray[np.float32]":
        """Give N x D: what the model makes of a picture before it thinks of labels, else its probabilities."""
        ...
