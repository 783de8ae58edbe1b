"""Tables become a config, and everything that keeps them from it becomes a problem."""

from collections.abc import Mapping

from pydantic import ValidationError

from kohya_wrap.config import TrainConfig
from kohya_wrap.config.rules import check
from kohya_wrap.errors import Problem
from kohya_wrap.presets.names import (
    PASSTHROUGH,
    advice_for_key,
    advice_for_stray_key,
    advice_for_table,
    fields_by_table,
)
from kohya_wrap.presets.wording import describe, field_schema, hint

Tables = dict[str, dict[str, object]]

NAME = "setup.project_name"
_BITS_64 = 1 << 63
ANY_TEXT = ("samples.prompts", "samples.negative_prompt")
"""Fields whose texts are neither a path nor a word of a command."""
_STAND_IN = "name"
"""A project name for a preset without one, so that its other rules can be looked at too."""


def validate(tables: Mapping[str, object]) -> tuple[TrainConfig | None, list[Problem]]:
    """Build the config from merged tables, and list all that is wrong with names, types, limits and across fields.

    The config is None where anything is an error.
    """
    problems, sound = _names(tables)
    config, wrong = _build(sound)
    problems += wrong
    if NAME.partition(".")[2] not in sound.get("setup", {}) and not any(p.where == NAME for p in problems):
        todo = 'add project_name = "my-lora" under [setup]'
        problems.append(Problem(NAME, "is missing", todo))
    bad = {problem.where for problem in problems}
    problems += [found for found in check(config) if not _rests_on(found, bad)]
    failed = any(problem.severity == "error" for problem in problems)
    return (None if failed else config), problems


def _rests_on(found: Problem, bad: set[str]) -> bool:
    """Say whether a rule looked at a field that is itself wrong, and so judged its default."""
    text = f"{found.what} {found.todo}"
    return found.where in bad or any(where in text or where.rpartition(".")[2] in text.split() for where in bad)


def _names(tables: Mapping[str, object]) -> tuple[list[Problem], Tables]:
    """List unknown tables and keys, and give the tables without them."""
    problems: list[Problem] = []
    sound: Tables = {}
    for name, table in tables.items():
        if name not in fields_by_table() and name != PASSTHROUGH:
            problems.append(_no_table(name, table))
        elif not isinstance(table, Mapping):
            problems.append(Problem(name, "must be a table", f"write [{name}] on a line of its own"))
        else:
            sound[name] = dict(table)
    for name in sound.keys() - {PASSTHROUGH}:
        for key in sorted(sound[name].keys() - fields_by_table()[name].model_fields.keys()):
            problems.append(Problem(f"{name}.{key}", f"is no field of [{name}]", advice_for_key(name, key)))
            del sound[name][key]
    for name, key in [(name, key) for name, table in sound.items() for key in table]:
        if (wrong := unusable(sound[name][key])) and f"{name}.{key}" not in ANY_TEXT:
            problems.append(Problem(f"{name}.{key}", *wrong))
            del sound[name][key]
    return problems, sound


def unusable(value: object) -> tuple[str, str] | None:
    """Say of a value that it can be read, and fails later: as a float, as a path, or as a word of a command."""
    if isinstance(value, list | tuple):
        return next(filter(None, map(unusable, value)), None)
    if isinstance(value, int) and not -_BITS_64 <= value < _BITS_64:
        return "is a whole number of more than 64 bits", "write a smaller one"
    if isinstance(value, str) and "\0" in value:
        return "holds a zero byte", "remove it"
    return None


def _no_table(name: str, value: object) -> Problem:
    tables = isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value)
    if isinstance(value, Mapping) or tables:
        return Problem(name, "is no table of a preset", advice_for_table(name))
    return Problem(name, "stands outside any table", advice_for_stray_key(name))


def _build(sound: Tables) -> tuple[TrainConfig, list[Problem]]:
    """Build the config; fields with wrong values are listed and left at their defaults."""
    given = {name: dict(table) for name, table in sound.items()}
    given.setdefault("setup", {}).setdefault("project_name", _STAND_IN)
    try:
        return TrainConfig.model_validate(given), []
    except ValidationError as error:
        places = dict.fromkeys((str(entry["loc"][0]), str(entry["loc"][1])) for entry in error.errors())
    problems = [_wrong_value(table, key, given[table].pop(key)) for table, key in places]
    given["setup"].setdefault("project_name", _STAND_IN)
    return TrainConfig.model_validate(given), problems


def _wrong_value(table: str, key: str, value: object) -> Problem:
    where = f"{table}.{key}"
    if table == PASSTHROUGH:
        return Problem(where, f"must be true, false, a number, a text or a list of these, not {value!r}")
    schema = field_schema(table, key)
    shown = str(value).lower() if isinstance(value, bool) else f"{value!r}"
    return Problem(where, f"must be {describe(schema)}, not {shown}", hint(value, schema))
