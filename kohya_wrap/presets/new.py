"""A new preset to start from: what most people set, explained, and everything else inherited."""

import os
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kohya_wrap.config.docs import field_docs
from kohya_wrap.config.rules.naming import check_project_name
from kohya_wrap.errors import PresetError, Problem
from kohya_wrap.files import output_error, write_whole
from kohya_wrap.presets.load import LoadedPreset, load
from kohya_wrap.presets.names import fields_by_table, table_names
from kohya_wrap.presets.show import toml_key, toml_text

SHOWN = ("setup", "processing", "steps", "learning", "structure", "optimizer", "dataset", "samples")
"""The tables most people use."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a new preset is to say. `source`: what it was made from, for a comment. `values` by "table.key".

    `notes`: what is not known or was left out, one sentence each.
    """

    source: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def tables(self) -> dict[str, dict[str, object]]:
        """Give the values as a preset's tables."""
        tables: dict[str, dict[str, object]] = {}
        for where, value in self.values.items():
            table, _, key = where.partition(".")
            tables.setdefault(table, {})[key] = list(value) if isinstance(value, tuple) else value
        return tables


NOTHING = Given()


def new_preset(
    name: str, *, extends: str = "one-image", target_dir: Path = Path("presets"), given: Given = NOTHING
) -> Path:
    """Write `target_dir`/NAME.toml, a commented preset that extends another, and give its path.

    Every field of the tables most people use stands there with its docstring and the value it has, commented out;
    `given` values are set, and its notes stand at the top.
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
    _write_new(path, "\n".join(_lines(name, link, base, given)))
    return path


def _name_problems(name: str) -> list[Problem]:
    problems = [problem for problem in check_project_name(name) if problem.severity == "error"]
    return [Problem("name", problem.what, problem.todo) for problem in problems]


def _link(extends: str, base: LoadedPreset, path: Path) -> str:
    """Give what stands after `extends =`: the name, or for a file a path from the new preset's folder."""
    return os.path.relpath(base.path, path.parent) if extends.endswith(".toml") else extends


def _lines(name: str, link: str, base: LoadedPreset, given: Given) -> Iterator[str]:
    yield f"#   make train PRESET={name}"
    yield "#"
    yield f"# {name}: say here in one sentence what this LoRA is."
    yield "#"
    yield from _comment(f"Made from {given.source}.") if given.source else ()
    for note in given.notes:
        yield from _comment(f"- {note}")
    yield from ["#"] if given.source or given.notes else []
    yield "# Remove the # before a line to set the value. What stays commented out comes from the preset that this one"
    yield f"# extends, with the value shown. `kohya-wrap check {name}` says what a run would do, and"
    yield f"# `kohya-wrap presets show {name}` lists every value."
    yield ""
    yield f"extends = {toml_text(link)}"
    yield ""
    for table in [*SHOWN, *(table for table in table_names() if table not in SHOWN)]:
        values = {
            where.partition(".")[2]: value for where, value in given.values.items() if where.startswith(f"{table}.")
        }
        if table in SHOWN:
            yield f"[{table}]"
            yield from _fields(table, {**values, **({"project_name": name} if table == "setup" else {})}, base)
        elif values:
            yield f"[{table}]"
            yield from (line for key, value in values.items() for line in _set(table, key, value))


def _comment(text: str) -> list[str]:
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return textwrap.wrap(plain, 110, initial_indent="# ", subsequent_indent="#   ")


def _fields(table: str, values: Mapping[str, object], base: LoadedPreset) -> Iterator[str]:
    for key in field_docs(fields_by_table()[table]):
        if key in values:
            yield from _set(table, key, values[key])
        else:
            yield from _doc(table, key)
            yield f"# {key} = {toml_text(getattr(getattr(base.stated, table), key))}"
            yield ""


def _set(table: str, key: str, value: object) -> Iterator[str]:
    yield from _doc(table, key)
    yield f"{toml_key(key)} = {_value(value)}"
    yield ""


def _doc(table: str, key: str) -> list[str]:
    docs = field_docs(fields_by_table()[table]) if table in fields_by_table() else {}
    plain = re.sub(r" ?Source: .*$", "", docs.get(key, ""))
    return textwrap.wrap(plain, 110, initial_indent="# ", subsequent_indent="# ")


def _value(value: object) -> str:
    """Give a value as TOML; a text of several lines stays one, readable in a diff. The first line break is TOML's."""
    if isinstance(value, list | tuple) and any(isinstance(entry, str) and "\n" in entry for entry in value):
        return f"[{', '.join(_value(entry) for entry in value)}]"
    if isinstance(value, str) and "\n" in value:
        lines = (toml_text(line)[1:-1] for line in value.split("\n"))
        return '"""\n' + "\n".join(lines) + '"""'
    return toml_text(value)


def _write_new(path: Path, text: str) -> None:
    if path.exists():
        todo = "choose another name, or remove the file first"
        raise PresetError("is there already", where=str(path), todo=todo)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, path) from error
    write_whole(path, text)
