"""`extends` and `--set`: several files and overrides become one set of tables, and it is known who said what."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kohya_wrap.errors import PresetError, Problem
from kohya_wrap.files import kind_of
from kohya_wrap.paths import expanded
from kohya_wrap.presets.files import PresetFile, find_preset, read_preset
from kohya_wrap.presets.names import takes_text

SET = "--set"
BASE = "optional_custom_training_model_url"
HASH = "base_model_sha256"
ANOTHER_BASE = "rule: the hash was of another base model"

Overrides = Sequence[str] | Mapping[str, object]
"""Either "table.key=value" with TOML values, or values by "table.key"."""


@dataclass(frozen=True, slots=True)
class Merged:
    """All tables in one, before any check. `origins`: for each "table.key" the file that had the last word, or --set.

    `paths`: the files, the preset itself first.
    """

    tables: dict[str, object]
    origins: dict[str, str]
    paths: tuple[Path, ...]
    problems: list[Problem] = field(default_factory=list)


def merge(name_or_path: str | Path, *, overrides: Overrides, dirs: Sequence[Path] | None) -> Merged:
    """Read a preset with all it extends, and lay the overrides over it. Tables merge key by key, lists are replaced.

    Raises PresetError where a file cannot be found or read, or where files extend each other in a circle.
    """
    files = _chain(find_preset(name_or_path, dirs=dirs), dirs)
    merged = Merged({}, {}, tuple(file.path for file in files))
    for file in reversed(files):
        _lay(file.tables, str(file.path), merged)
    tables: dict[str, dict[str, object]] = {}
    for where, value in _parsed(overrides, merged.problems):
        table, _, key = where.partition(".")
        tables.setdefault(table, {})[key] = value
    _lay(tables, SET, merged)
    return merged


def _chain(path: Path, dirs: Sequence[Path] | None) -> list[PresetFile]:
    """Read the file and all it extends, the file itself first."""
    files = [read_preset(path)]
    while (wanted := files[-1].extends) is not None:
        base = _find_base(wanted, files[-1].path, dirs)
        files.append(read_preset(base))
        seen = [file.path.resolve() for file in files]
        if seen[-1] in seen[:-1]:
            start = seen.index(seen[-1])
            circle = " → ".join(file.path.name for file in files[start:])
            where, todo = f"{files[-2].path}: extends", "remove one of these extends"
            raise PresetError(f"presets extend each other in a circle: {circle}", where=where, todo=todo)
    return files


def _find_base(wanted: str, by: Path, dirs: Sequence[Path] | None) -> Path:
    """Find what a file extends: a path from the file's own folder, else a name beside it, else a name as usual."""
    relative = by.parent / expanded(wanted)
    if wanted.endswith(".toml") and kind_of(relative) == "file":
        return relative.absolute()
    beside = by.with_name(f"{wanted}.toml") if "/" not in wanted else by
    if kind_of(beside) == "file" and beside.resolve() != by.resolve():
        return beside.absolute()
    try:
        return find_preset(wanted, dirs=dirs)
    except PresetError as error:
        raise PresetError(error.what, where=f"{by}: extends", todo=error.todo) from error


def _lay(tables: Mapping[str, object], origin: str, merged: Merged) -> None:
    """Lay tables over those that are there already."""
    for name, table in tables.items():
        below = merged.tables.get(name)
        if isinstance(table, Mapping):
            above = _with_own_hash(below, table, merged.origins) if name == "setup" else below
            merged.tables[name] = {**(above if isinstance(above, Mapping) else {}), **table}
            merged.origins.update({f"{name}.{key}": origin for key in table})
        else:
            merged.tables[name] = table
        merged.origins[name] = origin


def _with_own_hash(below: object, table: Mapping[str, object], origins: dict[str, str]) -> object:
    """Take the hash out of a lower layer when a higher one names another base model: it was of that file."""
    if not isinstance(below, Mapping) or BASE not in table or HASH in table or below.get(BASE) == table[BASE]:
        return below
    if HASH in below:
        origins[f"setup.{HASH}"] = ANOTHER_BASE
    return {key: value for key, value in below.items() if key != HASH}


def _parsed(overrides: Overrides, problems: list[Problem]) -> list[tuple[str, object]]:
    """Give each override as ("table.key", value); those that name no table and key become problems."""
    if isinstance(overrides, Mapping):
        pairs = [(str(where), str(value) if isinstance(value, Path) else value) for where, value in overrides.items()]
    else:
        pairs = [_split(text) for text in overrides]
    sound = []
    for where, value in pairs:
        table, _, key = where.partition(".")
        if table and key:
            sound.append((where, value))
        else:
            what = "an override needs a table, a key and a value" + (f", not {where!r}" if where else "")
            problems.append(Problem(SET, what, "write table.key=value, for example learning.unet_lr=1e-4"))
    return sound


def _split(text: str) -> tuple[str, object]:
    """Split "table.key=value"; what has no = names nothing."""
    where, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        return "", None
    read = toml_value(value)
    return where, value if takes_text(where) and not isinstance(read, str | list) else read


def toml_value(text: str) -> object:
    """Read a value as TOML has it; what is no TOML value is taken as plain text."""
    try:
        document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return document["value"] if set(document) == {"value"} else text
