"""The folder of a run's test pictures: which are there, and what a new one is called."""

from pathlib import Path

from kohya_wrap.results.parameters.png import read_png_texts
from kohya_wrap.results.samples.text import without_version

ASKED = "kohya_wrap"
"""Name of a PNG's text that says what was asked for, where `parameters` are the words of the server that drew it."""


def asked_text(parameters: str, drawn_with: str) -> str:
    """Give the content of that text: what drew the picture, and the parameters that it was given."""
    return f"{drawn_with}\n{parameters}"


class Shelf:
    """Test pictures by the parameters in them and by what drew them: none is drawn twice, none is written over."""

    def __init__(self, folder: Path, drawn_with: str = "diffusers") -> None:
        self._folder = folder
        self._drawn_with = drawn_with
        self._by_text: dict[str, Path] = {}
        self._taken: set[str] = set()
        for path in sorted(folder.glob("[!.]*.png")) if folder.is_dir() else ():
            self._taken.add(path.stem)
            if text := _asked(path):
                self._by_text.setdefault(without_version(text), path)
        self._there = frozenset(self._by_text.values())

    def place(self, stem: str, text: str) -> tuple[Path, bool]:
        """Give the file for a picture with these parameters, and whether it is there; a taken name gets a number."""
        wanted = without_version(asked_text(text, self._drawn_with))
        if wanted not in self._by_text:
            names = (stem, *(f"{stem}-{number}" for number in range(2, len(self._taken) + 3)))
            free = next(name for name in names if name not in self._taken)
            self._taken.add(free)
            self._by_text[wanted] = self._folder / f"{free}.png"
        path = self._by_text[wanted]
        return path, path in self._there


def _asked(path: Path) -> str:
    try:
        texts = read_png_texts(path)
    except OSError:
        return ""
    parameters = texts.get("parameters", "")
    return texts.get(ASKED) or (asked_text(parameters, "diffusers") if parameters else "")
