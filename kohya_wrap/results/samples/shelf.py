"""The folder of a run's test pictures: which are there, and what a new one is called."""

from pathlib import Path

from kohya_wrap.results.parameters.png import read_png_texts
from kohya_wrap.results.samples.text import without_version


class Shelf:
    """Test pictures by the parameters in them, so that none is drawn twice and none is written over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_text: dict[str, Path] = {}
        self._taken: set[str] = set()
        for path in sorted(folder.glob("[!.]*.png")) if folder.is_dir() else ():
            self._taken.add(path.stem)
            if text := _parameters(path):
                self._by_text.setdefault(without_version(text), path)
        self._there = frozenset(self._by_text.values())

    def place(self, stem: str, text: str) -> tuple[Path, bool]:
        """Give the file for a picture with these parameters, and whether it is there; a taken name gets a number."""
        wanted = without_version(text)
        if wanted not in self._by_text:
            names = (stem, *(f"{stem}-{number}" for number in range(2, len(self._taken) + 3)))
            free = next(name for name in names if name not in self._taken)
            self._taken.add(free)
            self._by_text[wanted] = self._folder / f"{free}.png"
        path = self._by_text[wanted]
        return path, path in self._there


def _parameters(path: Path) -> str:
    try:
        return read_png_texts(path).get("parameters", "")
    except OSError:
        return ""
