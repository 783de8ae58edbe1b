"""Shared by the tests of the presets room: preset files in a folder, and what loading them says."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from kohya_wrap import presets
from kohya_wrap.errors import PresetError, Problem

NAMED = '[setup]\nproject_name = "test"\n'


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(path: Path, *, overrides: Sequence[str] = (), search: Sequence[Path] = ()) -> tuple[Problem, ...]:
    with pytest.raises(PresetError) as caught:
        presets.load(path, overrides=overrides, search=search)
    return caught.value.problems


def only_problem(path: Path, *, overrides: Sequence[str] = (), search: Sequence[Path] = ()) -> Problem:
    found = problems_of(path, overrides=overrides, search=search)
    assert len(found) == 1, [str(problem) for problem in found]
    return found[0]
