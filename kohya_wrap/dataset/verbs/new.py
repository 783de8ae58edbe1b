"""A new project's folders, by project or by category, as step 1 of the Dataset Maker made them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.errors import DatasetError
from kohya_wrap.files import output_error
from kohya_wrap.paths import FolderStructure, ProjectPaths

_FORBIDDEN = " .()\"'\\"
"""Source: the notebook's check of project_name."""


@dataclass(frozen=True, slots=True)
class NewProject:
    """A project's places. `dataset`: with the sub-folder that was named; `made`: folders that were not there before."""

    paths: ProjectPaths
    dataset: Path
    made: tuple[Path, ...]


def new(name: str, *, root: Path, structure: FolderStructure = "project", dry_run: bool = False) -> NewProject:
    """Make the folders of NAME, or of NAME/SUB, below `root`; those that are there stay.

    A project is laid out in one way only: one that lies by category already is not made again by project.
    Raises DatasetError, OutputError.
    """
    project, _, sub = name.strip().partition("/")
    for part in (project, *([sub] if "/" in name else [])):
        _check(part, name)
    paths = ProjectPaths(root.absolute(), project, structure)
    other = ProjectPaths(root.absolute(), project, "category" if structure == "project" else "project")
    if other.dataset.is_dir():
        todo = f"use --structure {other.structure}, or choose another name"
        raise DatasetError(f"is a project by {other.structure} already", where=str(other.dataset), todo=todo)
    dataset = paths.dataset / sub
    made = tuple(path for path in _folders(paths, dataset) if not path.is_dir())
    if not dry_run:
        for path in made:
            _make(path)
    return NewProject(paths, dataset, made)


def _check(part: str, name: str) -> None:
    wrong = sorted({char for char in part if char in _FORBIDDEN or char == "/" or not char.isprintable()})
    if wrong or not part or part.startswith("-"):
        what = f"cannot have {' '.join(map(repr, wrong))} in it" if wrong else "is no name"
        todo = "write NAME or NAME/SUB with letters, digits, - and _"
        raise DatasetError(what, where=repr(name), todo=todo)


def _folders(paths: ProjectPaths, dataset: Path) -> Iterator[Path]:
    yield paths.config
    yield dataset
    yield paths.output


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, path) from error
