"""Embeddings of pictures by a tagger: pictures that are tagged alike are alike, also cropped or recoloured."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kohya_wrap.dataset.taggers import Tagger
from kohya_wrap.dataset.verbs.dedupe.alike import Embed
from kohya_wrap.dataset.verbs.parallel import Report, in_threads, no_report
from kohya_wrap.dataset.verbs.reading import flattened, opened

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BATCH = 8


def tagger_embed(tagger: Tagger, *, report: Report = no_report) -> Embed:
    """Give what embeds pictures; the next ones are decoded while the model works."""

    def prepare(path: Path) -> "NDArray[Any]":
        with opened(path) as image:
            return tagger.prepare(flattened(image, "white"))

    def embed(paths: Sequence[Path]) -> "NDArray[np.float32]":
        import numpy as np  # noqa: PLC0415 - 0.1 s to import

        made = in_threads(prepare, paths, label="embedding", report=report)
        rows = []
        while batch := list(islice(made, _BATCH)):
            rows.append(tagger.embeddings(batch))
        return np.concatenate(rows)

    return embed
