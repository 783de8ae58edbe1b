"""Taggers by name: to add one, its repository here; one of another kind has a module like wd.py and its test."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.dataset.taggers.labels import compared, written
from kohya_wrap.dataset.taggers.tagger import Fetch, Label, Tagger
from kohya_wrap.dataset.taggers.wd import LABELS, MODEL, open_wd
from kohya_wrap.errors import DatasetError
from kohya_wrap.paths import expanded

__all__ = ["TAGGERS", "Fetch", "Label", "Tagger", "compared", "open_taggers", "written"]


@dataclass(frozen=True, slots=True)
class TaggerSource:
    """Where a tagger's two files are, and what opens them (name, model, labels)."""

    repo: str
    model: str = MODEL
    labels: str = LABELS
    open: Callable[[str, Path, Path], Tagger] = open_wd


_EVA02 = TaggerSource("SmilingWolf/wd-eva02-large-tagger-v3")
_VIT = TaggerSource("SmilingWolf/wd-vit-large-tagger-v3")
TAGGERS: dict[str, tuple[TaggerSource, ...]] = {
    "wd-eva02-large-tagger-v3": (_EVA02,),
    "wd-vit-large-tagger-v3": (_VIT,),
    "both": (_EVA02, _VIT),
    "wd-v1-4-swinv2-tagger-v2": (TaggerSource("SmilingWolf/wd-v1-4-swinv2-tagger-v2"),),
}


def open_taggers(name: str, fetch: Fetch) -> list[Tagger]:
    """Open what `name` says: a name of TAGGERS, a folder with a model, or a repository (user/name[@revision]).

    Raises DatasetError, and what `fetch` raises.
    """
    folder = expanded(name)
    if name not in TAGGERS and folder.is_dir():
        return [_from_folder(folder)]
    return [
        source.open(source.repo, fetch(source.repo, source.model), fetch(source.repo, source.labels))
        for source in _sources(name)
    ]


def _sources(name: str) -> Sequence[TaggerSource]:
    if name.lower() in TAGGERS:
        return TAGGERS[name.lower()]
    user, slash, repo = name.partition("/")
    if slash and user and repo and "/" not in repo and user not in {".", "..", "~"}:
        return (TaggerSource(name),)
    todo = f"give {', '.join(TAGGERS)}, a repository (user/name), or a folder with {MODEL} and {LABELS}"
    raise DatasetError("is no tagger", where=name, todo=todo)


def _from_folder(folder: Path) -> Tagger:
    for file in (MODEL, LABELS):
        if not (folder / file).is_file():
            raise DatasetError(f"has no {file}", where=str(folder), todo=f"put {MODEL} and {LABELS} there")
    return open_wd(folder.name, folder / MODEL, folder / LABELS)
