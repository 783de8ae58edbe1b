"""What goes with a picture when it leaves: its captions, latents and notes, unless another picture needs them."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from kohya_wrap.dataset.caches import size_in_name
from kohya_wrap.dataset.captions import with_dot
from kohya_wrap.dataset.folder import is_picture

_ENDINGS = frozenset({".txt", ".caption", ".npz", ".json"})


def companions(leaving: Iterable[Path], caption_extension: str = ".txt") -> list[Path]:
    """List the files that belong to pictures that leave, sorted: same folder, same stem; each folder is read once.

    A file that a picture with the same stem still needs (a.png and a.jpg share a.txt) stays.
    """
    gone = set(leaving)
    found: list[Path] = []
    for folder in sorted({path.parent for path in gone}):
        files = [path for path in folder.iterdir() if path.is_file()]
        staying = {path.stem for path in files if is_picture(path) and path not in gone}
        stems = {path.stem for path in gone if path.parent == folder} - staying
        endings = _ENDINGS | ({with_dot(caption_extension)} if caption_extension else set())
        by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in files:
            if path.suffix in endings:
                by_stem[_stem(path)].append(path)
        found += [path for stem in stems for path in by_stem[stem]]
    return sorted(found)


def _stem(path: Path) -> str:
    """Give the stem of the picture that a file belongs to; latents have their size in their name."""
    if path.suffix == ".npz" and size_in_name(path):
        return path.stem.rsplit("_", maxsplit=2)[0]
    return path.stem
