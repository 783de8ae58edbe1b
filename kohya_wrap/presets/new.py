"""A new preset to start from: what most people set, explained, and everything else inherited."""

import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from kohya_wrap.config.docs import field_docs
from kohya_wrap.config.rules.naming import check_project_name
from kohya_wrap.errors import PresetError, Problem
from kohya_wrap.files import output_error, write_whole
from kohya_wrap.presets.load import LoadedPreset, load
from kohya_wrap.presets.names import fields_by_table
from kohya_wrap.presets.show import toml_text

SHOWN = ("setup", "processing", "steps", "learning", "structure", "optimizer", "dataset")
"""The tables most people use."""


def new_preset(name: str, *, extends: str = "one-image", target_dir: Path = Path("presets")) -> Path:
    """Write `target_dir`/NAME.toml, a commented preset that extends another, and give its path.

    Every field of the tables most people use stands there with its docstring and the value it has, commented out.
    Never over an existing file. Raises PresetError where the name or the other preset is wrong, OutputError where it
    cannot be written.
    """
    base = load(extends, overrides={"setup.project_name": name} if not _name_problems(name) else ())
    if problems := _name_problems(name):
        raise PresetError.of(problems, what=f"{name!r} cannot be the name of a preset")
    path = target_dir.absolute() / f"{name}.toml"
    if base.path == path:
        raise PresetError(f"{name!r} cannot extend itself", where=str(path), todo="choose another name")
    link = _link(extends, base, path)
    _write_new(path, "\n".join(_lines(name, link, base)))
    return path


def _name_problems(name: str) -> list[Problem]:
    problems = [problem for problem in check_project_name(name) if problem.severity == "error"]
    return [Problem("name", problem.what, problem.todo) for problem in problems]


def _link(extends: str, base: LoadedPreset, path: Path) -> str:
    """Give what stands after `extends =`: the name, or for a file a path from the new preset's folder."""
    return os.path.relpath(base.path, path.parent) if extends.endswith(".toml") else extends


def _lines(name: str, link: str, base: LoadedPreset) -> Iterator[str]:
    yield f"#   make train PRESET={name}"
    yield "#"
    yield f"# {name}: say here in one sentence what this LoRA is."
    yield "#"
    yield "# Remove the # before a line to set the value. What stays commented out comes from the preset that this one"
    yield f"# extends, with the value shown. `kohya-wrap check {name}` says what a run would do, and"
    yield f"# `kohya-wrap presets show {name}` lists every value."
    yield ""
    yield f"extends = {toml_text(link)}"
    yield ""
    for table in SHOWN:
        yield f"[{table}]"
        yield from _fields(table, name, base)


def _fields(table: str, name: str, base: LoadedPreset) -> Iterator[str]:
    docs = field_docs(fields_by_table()[table])
    for key, text in docs.items():
        plain = re.sub(r" ?Source: .*$", "", text)
        yield from textwrap.wrap(plain, 110, initial_indent="# ", subsequent_indent="# ")
        if (table, key) == ("setup", "project_name"):
            yield f"project_name = {toml_text(name)}"
        else:
            yield f"# {key} = {toml_text(getattr(getattr(base.stated, table), key))}"
        yield ""


def _write_new(path: Path, text: str) -> None:
    if path.exists():
        todo = "choose another name, or remove the file first"
        raise PresetError("is there already", where=str(path), todo=todo)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, path) from error
    write_whole(path, text)
