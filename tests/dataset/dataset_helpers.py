"""Shared by the tests of the dataset room: real pictures, a project to put them in, and what is found there."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from kohya_wrap.config import TrainConfig
from kohya_wrap.dataset import PreparedDataset, prepare
from kohya_wrap.errors import Problem
from kohya_wrap.paths import ProjectPaths

Tables = dict[str, dict[str, object]]


def project_of(root: Path) -> ProjectPaths:
    """Give a project whose dataset folder exists."""
    project = ProjectPaths(root, "tiger")
    project.dataset.mkdir(parents=True, exist_ok=True)
    return project


def config_of(tables: Tables | None = None) -> TrainConfig:
    """Give a preset that trains at 64 pixels, so that small pictures are large enough."""
    given = {name: dict(table) for name, table in (tables or {}).items()}
    given.setdefault("setup", {}).setdefault("project_name", "tiger")
    given.setdefault("processing", {}).setdefault("resolution", 64)
    return TrainConfig.model_validate(given)


def draw(path: Path, size: tuple[int, int] = (96, 80), *, mode: str = "RGB", color: str | int = "#c84") -> Path:
    """Save a picture; the ending's case does not matter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new(mode, size, color)
    image.save(path, format={"jpg": "JPEG", "jpeg": "JPEG"}.get(path.suffix[1:].lower(), path.suffix[1:].upper()))
    return path


def captioned(path: Path, size: tuple[int, int] = (96, 80), caption: str = "tiger, orange fur\n") -> Path:
    """Save a picture with a caption beside it."""
    draw(path, size)
    path.with_suffix(".txt").write_text(caption, encoding="utf-8")
    return path


def prepared(project: ProjectPaths, tables: Tables | None = None) -> PreparedDataset:
    """Look at the project's dataset as a run would."""
    return prepare(config_of(tables), project)


def found(project: ProjectPaths, tables: Tables | None = None) -> list[Problem]:
    """Give what is found."""
    return list(prepared(project, tables).findings)


def codes(findings: Sequence[Problem]) -> list[str]:
    """Give the names of the findings, sorted."""
    return sorted(problem.code for problem in findings)


def only(findings: Sequence[Problem], code: str) -> Problem:
    """Give the one finding of this name."""
    problems = [problem for problem in findings if problem.code == code]
    assert len(problems) == 1, [str(problem) for problem in findings]
    return problems[0]


def forbid(path: Path, mode: int) -> None:
    """Take permissions away, or skip where they do not bind (root's privileges)."""
    path.chmod(mode)
    if os.access(path, os.W_OK):
        path.chmod(0o700)
        pytest.skip("permissions do not bind this user")


def state_of(folder: Path) -> dict[str, tuple[str, int]]:
    """Give every file and folder below, with its content's hash and its time of change."""
    entries = {}
    for path in sorted(folder.rglob("*")):
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        entries[str(path.relative_to(folder))] = (content, path.lstat().st_mtime_ns)
    return entries
