"""From what is alike to groups with one picture that is kept.

Pictures are taken best first. Each that no better one has taken is kept, and takes all that are alike to it. So every
picture that goes is within the threshold of the one that is kept for it: likeness is not handed on from neighbour to
neighbour, which would put a whole film, frame by frame, into one group.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kohya_wrap.dataset.verbs.dedupe.alike import Likeness
from kohya_wrap.files import sha256_file

How = Literal["exact", "near", "mirrored", "embedding"]


@dataclass(frozen=True, slots=True)
class Spare:
    """A picture that is alike to a better one. `distance`: 0, bits of the hash, or 1 - cosine."""

    path: Path
    how: How
    distance: float = 0

    def __str__(self) -> str:
        if self.how == "exact":
            return "exact copy"
        if self.how == "embedding":
            return f"cosine {1 - self.distance:.3f}"
        return f"{'mirrored, ' if self.how == 'mirrored' else ''}{self.distance:.0f} bits apart"


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures that are alike: the best, and the others, nearest first."""

    kept: Path
    spares: tuple[Spare, ...]


def exact_copies(paths: Iterable[Path]) -> dict[Path, list[Path]]:
    """Give the first of the files that are equal byte by byte, and the others; only those of one size are read."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in paths:
        by_size[path.stat().st_size].append(path)
    by_hash: dict[str, list[Path]] = defaultdict(list)
    for path in (path for same in by_size.values() if len(same) > 1 for path in same):
        by_hash[sha256_file(path)].append(path)
    return {first: others for first, *others in by_hash.values() if others}


def near_groups(
    likeness: Likeness, order: Sequence[int], *, embedding: bool
) -> dict[int, list[tuple[int, How, float]]]:
    """Group pictures, given by index best first; only groups of two and more."""
    import numpy as np  # noqa: PLC0415 - 0.1 s to import

    free = np.ones(len(order), bool)
    groups: dict[int, list[tuple[int, How, float]]] = {}
    for index in order:
        if not free[index]:
            continue
        free[index] = False
        for near in sorted(likeness.near(index, free), key=lambda near: (near.distance, near.index)):
            how: How = "embedding" if embedding else "mirrored" if near.mirrored else "near"
            groups.setdefault(index, []).append((near.index, how, near.distance))
            free[near.index] = False
    return groups
