"""Checks of a preset's [sd_scripts] table: any option of train_network.py that no field covers."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from kohya_wrap.config import TrainConfig
from kohya_wrap.config.base import Table
from kohya_wrap.errors import Problem
from kohya_wrap.families import FAMILIES
from kohya_wrap.sd_scripts.option_owners import DATASET_FILE, FIELDS, NETWORK_ARGS_FIELDS, OURS
from kohya_wrap.sd_scripts.options import Option, is_option, nearest_option, options
from kohya_wrap.sd_scripts.pitfalls import pitfalls, setup_of

TABLE = "sd_scripts"

Fits = Callable[[object], bool]
_TYPES: Mapping[str, tuple[str, Fits]] = {
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "int": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "float": ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "int_or_float": ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "str": ("a text in quotes", lambda value: isinstance(value, str)),
    "Path": ("a text in quotes", lambda value: isinstance(value, str)),
}


def check_passthrough(tables: Mapping[str, object]) -> list[Problem]:
    """List what is wrong with a preset's raw [sd_scripts] table, and options that stand in another table.

    `tables` is the preset as read, after `extends` and overrides. Never raises.
    """
    problems = list(_misplaced(tables))
    given = tables.get(TABLE, {})
    if not isinstance(given, Mapping):
        return [*problems, Problem(TABLE, "is not a table", f"write [{TABLE}] on a line of its own")]
    if given and _overridden(tables):
        what = "is not used with extras.override_config_file"
        return [*problems, Problem(TABLE, what, "put these options into that file")]
    sound: dict[str, object] = {}
    script = script_of(tables)
    for name, value in given.items():
        found = _check(str(name), value, script)
        problems += found
        if not found:
            sound[str(name)] = value
    return problems + list(pitfalls(sound, tables))


def _overridden(tables: Mapping[str, object]) -> bool:
    extras = tables.get("extras")
    return isinstance(extras, Mapping) and bool(extras.get("override_config_file"))


def script_of(tables: Mapping[str, object]) -> str:
    """Give the script that a preset as read will be trained by, whatever else is wrong with it."""
    return FAMILIES[setup_of(tables).family].script


def _check(name: str, value: object, script: str) -> list[Problem]:
    where = f"{TABLE}.{name}"
    if name == "network_args":
        return list(_check_network_args(where, value))
    if name in FIELDS:
        return [Problem(where, f"is what the field {FIELDS[name]} sets", f"set {FIELDS[name]} instead")]
    if name in DATASET_FILE:
        return [_belongs_in_dataset_file(name)]
    if name in OURS:
        return [Problem(where, f"cannot be set: {OURS[name]}", "remove it")]
    if not is_option(name, script):
        return [_unknown(name, script)]
    return _check_value(where, value, options()[name])


def _unknown(name: str, script: str) -> Problem:
    where = f"{TABLE}.{name}"
    if name in options():
        scripts = ", ".join(options()[name].scripts)
        return Problem(where, f"is an option of {scripts} only, not of {script}", "remove it")
    near = nearest_option(name, script)
    todo = f'did you mean "{near}"?' if near else "see options.json for the names it has"
    return Problem(where, f"is no option of sd-scripts' {script}", todo)


def _belongs_in_dataset_file(name: str) -> Problem:
    what = f"belongs in the dataset file, in {DATASET_FILE[name]}; from here the engine would not take it"
    return Problem(f"{TABLE}.{name}", what, "give it in extras.custom_dataset")


def _check_value(where: str, value: object, option: Option) -> list[Problem]:
    wanted, fits = _TYPES[option.type]
    if option.many != isinstance(value, list | tuple):
        shape = f"a list, each entry {wanted}" if option.many else wanted
        return [Problem(where, f"must be {shape}, not {value!r}", "see the option in options.json")]
    entries: Sequence[object] = value if isinstance(value, list | tuple) else (value,)
    if not all(fits(entry) for entry in entries):
        each = "each entry " if option.many else ""
        return [Problem(where, f"{each}must be {wanted}, not {value!r}", _type_hint(value, option))]
    if option.choices and value not in option.choices:
        listed = ", ".join(str(choice) for choice in option.choices)
        return [Problem(where, f"cannot be {value!r}", f"choose one of: {listed}")]
    return []


def _type_hint(value: object, option: Option) -> str:
    if isinstance(value, str) and option.type != "str":
        return "remove the quotes"
    if isinstance(value, float) and option.type == "int":
        return f"write {int(value)} if that is meant" if value.is_integer() else "write it without a point"
    return ""


def _check_network_args(where: str, value: object) -> Iterator[Problem]:
    if wrong := _check_value(where, value, options()["network_args"]):
        yield from wrong
        return
    for entry in value if isinstance(value, list | tuple) else ():
        key, equals, rest = str(entry).partition("=")
        if key.strip() in NETWORK_ARGS_FIELDS:
            field = NETWORK_ARGS_FIELDS[key.strip()]
            yield Problem(where, f"{key.strip()} is what the field {field} sets", f"set {field} instead")
        elif not equals or not rest or " " in key:
            yield Problem(where, f"{entry!r} would be ignored without a word", 'write it as "key=value", no spaces')


def _misplaced(tables: Mapping[str, object]) -> Iterator[Problem]:
    for table, fields in _fields_by_table().items():
        given = tables.get(table)
        for name in given if isinstance(given, Mapping) else ():
            if name not in fields and is_option(str(name), script_of(tables)):
                yield _move(table, str(name))


def _move(table: str, name: str) -> Problem:
    what = f"is no field of [{table}], but an option of sd-scripts"
    if name in FIELDS:
        return Problem(f"{table}.{name}", what, f"set {FIELDS[name]}")
    if name in DATASET_FILE:
        return Problem(f"{table}.{name}", what, f"give it in extras.custom_dataset, in {DATASET_FILE[name]}")
    if name in OURS:
        return Problem(f"{table}.{name}", f"{what} that cannot be set: {OURS[name]}", "remove it")
    return Problem(f"{table}.{name}", what, f"move it under [{TABLE}]")


def _fields_by_table() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, info in TrainConfig.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Table):
            found[name] = set(info.annotation.model_fields)
    return found
