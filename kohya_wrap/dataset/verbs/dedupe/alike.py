"""Which pictures are alike: by perceptual hash, or by the embeddings of a model."""

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kohya_wrap.dataset.verbs.dedupe.fingerprints import Fingerprint
from kohya_wrap.dataset.verbs.dedupe.hamming import near_pairs
from kohya_wrap.errors import DatasetError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]

Embed = Callable[[Sequence[Path]], "NDArray[np.float32]"]
"""Gives N x D numbers for N pictures, one row each; they need not be of length 1."""
HUE_APART, LIGHT_APART = 24.0, 32.0
"""Of 255, over 8 x 8 areas: what the hash does not see. Beyond these, pictures are not alike. The hash looks at light
and shade alone, so that a recoloured picture, which is worth training, would pass for a copy; and plain areas have all
one hash. Measured on a drawing: JPEG at quality 10, half the size and a crop by a tenth change an area's hue by 14 at
most, grey and swapped colours by 44 and 89."""
_ROWS = 2048


@dataclass(frozen=True, slots=True)
class Near:
    """Another picture that is alike. `distance`: bits that differ, or 1 - cosine."""

    index: int
    distance: float
    mirrored: bool = False


class Likeness(Protocol):
    """Knows which pictures are alike."""

    def near(self, index: int, free: "NDArray[np.bool_]") -> list[Near]:
        """Give those that are alike to one picture, of those that are `free`."""
        ...


class HashLikeness:
    """By perceptual hash within `radius` bits, and by colours; with `mirror` also to mirror images."""

    def __init__(self, prints: Sequence[Fingerprint], *, radius: int, mirror: bool) -> None:
        import numpy as np  # noqa: PLC0415 - 0.1 s to import

        straight = [each.hash for each in prints]
        every = np.array(straight + [each.mirrored for each in prints] if mirror else straight, np.uint64)
        self._count = len(prints)
        self._distinct, self._which = np.unique(every, return_inverse=True)
        self._members = _Lists(self._which, np.arange(len(every)), len(self._distinct))
        i, j = near_pairs(self._distinct, radius)
        self._near = _Lists(np.concatenate([i, j]), np.concatenate([j, i]), len(self._distinct))
        self._alone = (self._near.lengths[self._which] == 0) & (self._members.lengths[self._which] == 1)
        shape = (len(prints), 8, 8, 3)
        self._colours = np.frombuffer(b"".join(each.colours for each in prints), np.uint8).reshape(shape)

    def near(self, index: int, free: "NDArray[np.bool_]") -> list[Near]:
        """Give those that are alike to one picture, of those that are `free`; each once, the nearer way round."""
        import numpy as np  # noqa: PLC0415 - 0.1 s to import

        if self._alone[index]:  # nearly all of them
            return []
        own = self._which[index]
        hashes = np.append(self._near[own], own)
        found = np.concatenate([self._members[each] for each in hashes])
        pictures = found % self._count
        found = found[free[pictures] & (pictures != index)]
        distances = np.bitwise_count(self._distinct[self._which[found]] ^ self._distinct[own])
        best: dict[int, Near] = {}
        for at in np.argsort(distances, kind="stable"):
            picture, mirrored = int(found[at] % self._count), bool(found[at] >= self._count)
            if picture not in best and self._same_colours(index, picture, mirrored=mirrored):
                best[picture] = Near(picture, float(distances[at]), mirrored)
        return list(best.values())

    def _same_colours(self, index: int, other: int, *, mirrored: bool) -> bool:
        import numpy as np  # noqa: PLC0415 - 0.1 s to import

        theirs = self._colours[other][:, ::-1] if mirrored else self._colours[other]
        apart = self._colours[index].astype(np.float32) - theirs
        light = apart.mean(axis=-1, keepdims=True)
        return bool(np.abs(apart - light).max() <= HUE_APART and np.abs(light).mean() <= LIGHT_APART)


class EmbeddingLikeness:
    """By the cosine of N x D embeddings, above `cosine`. Source: the Dataset Maker's step 3 (there of CLIP)."""

    def __init__(self, embeddings: "NDArray[Any]", *, cosine: float) -> None:
        import numpy as np  # noqa: PLC0415 - 0.1 s to import

        lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
        unit = (embeddings / np.where(lengths == 0, 1, lengths)).astype(np.float32)
        firsts, seconds, values = [], [], []
        for start in range(0, len(unit), _ROWS):
            cosines = unit[start : start + _ROWS] @ unit[start:].T
            i, j = np.nonzero(cosines > cosine)
            later = j > i
            firsts.append(i[later] + start)
            seconds.append(j[later] + start)
            values.append(cosines[i[later], j[later]])
        i, j, value = np.concatenate(firsts), np.concatenate(seconds), np.concatenate(values)
        both, back = np.concatenate([i, j]), np.concatenate([j, i])
        self._near = _Lists(both, back, len(unit))
        self._cosines = _Lists(both, np.concatenate([value, value]), len(unit))

    def near(self, index: int, free: "NDArray[np.bool_]") -> list[Near]:
        """Give those that are alike to one picture, of those that are `free`."""
        pairs = zip(self._near[index], self._cosines[index], strict=True)
        return [Near(int(other), 1 - float(cosine)) for other, cosine in pairs if free[other]]


def embeddings_of(file: Path, folder: Path) -> Embed:
    """Read embeddings from an .npz: `names`, relative to the dataset's folder, and `embeddings`, N x D.

    Raises DatasetError, at once for a file that is not so, and later for a picture that has none.
    """
    import numpy as np  # noqa: PLC0415 - 0.1 s to import

    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as held:
            names, rows = [str(name) for name in held["names"]], np.asarray(held["embeddings"], np.float32)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        todo = "give an .npz with `names` and `embeddings`"
        raise DatasetError(f"cannot be read as embeddings: {error}", where=str(file), todo=todo) from error
    if rows.ndim != 2 or len(rows) != len(names) or not np.isfinite(rows).all():
        what = f"{len(names)} names do not go with embeddings of shape {rows.shape}, all finite"
        raise DatasetError(what, where=str(file), todo="make it again")
    row_of = {name: at for at, name in enumerate(names)}

    def embed(paths: Sequence[Path]) -> "NDArray[np.float32]":
        missing = [path for path in paths if path.relative_to(folder).as_posix() not in row_of]
        if missing:
            what = f"{len(missing)} pictures have no embedding, {missing[0].name} for one"
            raise DatasetError(what, where=str(file), todo="make it again for all pictures")
        return rows[[row_of[path.relative_to(folder).as_posix()] for path in paths]]

    return embed


class _Lists:
    """Many short lists in two arrays: the values whose key is 0, 1, 2, …"""

    def __init__(self, keys: "Indices", values: "NDArray[Any]", count: int) -> None:
        import numpy as np  # noqa: PLC0415 - 0.1 s to import

        self._values = values[np.argsort(keys, kind="stable")]
        self.lengths = np.bincount(keys, minlength=count)
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])

    def __getitem__(self, key: int) -> "NDArray[Any]":
        return self._values[self._starts[key] : self._starts[key + 1]]
