"""The names a preset may use, and the nearest right one for a wrong one."""

import difflib
from collections.abc import Iterable
from functools import cache
from typing import get_args

from kohya_wrap.config import TrainConfig
from kohya_wrap.config.base import Table
from kohya_wrap.config.docs import table_types

PASSTHROUGH = "sd_scripts"
"""The one table whose keys are not fields: checked later, against options.json."""


@cache
def fields_by_table() -> dict[str, type[Table]]:
    """Give the tables that have fields of their own, by name."""
    return table_types(TrainConfig)


@cache
def tables_by_field() -> dict[str, str]:
    """Give the table of every field. No field name is used twice (a test holds that)."""
    return {key: table for table, kind in fields_by_table().items() for key in kind.model_fields}


def table_names() -> list[str]:
    """Give every table a preset may have."""
    return [*fields_by_table(), PASSTHROUGH]


def takes_text(where: str) -> bool:
    """Say whether the field "table.key" can be a plain text, so that 2024 on a command line is a name there."""
    table, _, key = where.partition(".")
    kind = fields_by_table().get(table)
    info = kind.model_fields.get(key) if kind else None
    return info is not None and (info.annotation is str or str in get_args(info.annotation))


def nearest(name: str, names: Iterable[str]) -> str:
    """Give the name nearest to a misspelt one, empty when none is near."""
    plain = {known.lower(): known for known in names}
    wanted = name.lower().replace("-", "_")
    near = difflib.get_close_matches(wanted, plain, n=1, cutoff=0.6) or difflib.get_close_matches(
        name.lower(), plain, n=1, cutoff=0.6
    )
    return plain[near[0]] if near else ""


def advice_for_key(table: str, key: str) -> str:
    """Say what to do about a key that its table has not got."""
    home = tables_by_field().get(key) or tables_by_field().get(key.lower().replace("-", "_"))
    if home and home != table:
        return f"it belongs in [{home}]"
    near = nearest(key, fields_by_table()[table].model_fields)
    if near:
        return f'did you mean "{near}"?'
    other = nearest(key, tables_by_field())
    if other and len(other) > 4:
        return f'did you mean "{other}" in [{tables_by_field()[other]}]?'
    return f"[{table}] has: {', '.join(fields_by_table()[table].model_fields)}"


def advice_for_table(name: str) -> str:
    """Say what to do about a table that no preset has."""
    if name.endswith("_arguments"):
        return "that is of sd-scripts' own training file: give the file in extras.override_config_file, or set fields"
    if name in ("general", "datasets"):
        return "that is of sd-scripts' dataset file: give it in extras.override_dataset_config_file"
    near = nearest(name, table_names())
    return f"did you mean [{near}]?" if near else f"the tables are: {', '.join(table_names())}"


def advice_for_stray_key(key: str) -> str:
    """Say what to do about a key above all tables."""
    if nearest(key, ["extends"]):
        return 'did you mean extends = "…"?'
    home = tables_by_field().get(key)
    if home:
        return f"move it under [{home}]"
    near = nearest(key, tables_by_field())
    if near:
        return f'did you mean "{near}"? It goes under [{tables_by_field()[near]}]'
    return f"move it under its table, or under [{PASSTHROUGH}] if it is an option of sd-scripts"
