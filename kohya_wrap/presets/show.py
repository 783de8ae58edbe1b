"""A preset written out: every value that takes effect, each with where it came from."""

import json
import re

from kohya_wrap.config.base import Table
from kohya_wrap.presets.load import LoadedPreset, short
from kohya_wrap.presets.names import PASSTHROUGH, fields_by_table

_COMMENT_COLUMN = 48


def show(loaded: LoadedPreset) -> str:
    """Give the preset as TOML with everything resolved; each line ends with where its value came from.

    The text is a preset itself, and loads to the same config.
    """
    lines = [f"# {loaded.name}, with every value that takes effect and where it came from"]
    for name in fields_by_table():
        table: Table = getattr(loaded.config, name)
        lines += ["", f"[{name}]"]
        lines += [_line(name, key, getattr(table, key), loaded) for key in type(table).model_fields]
    if loaded.config.sd_scripts:
        lines += ["", f"[{PASSTHROUGH}]"]
        lines += [_line(PASSTHROUGH, key, value, loaded) for key, value in loaded.config.sd_scripts.items()]
    return "\n".join(lines) + "\n"


def _line(table: str, key: str, value: object, loaded: LoadedPreset) -> str:
    origin = short(loaded.origins[f"{table}.{key}"]).replace("\n", " ")
    return f"{toml_key(key)} = {toml_text(value):<{_COMMENT_COLUMN - len(key)}}  # {origin}"


def toml_key(key: str) -> str:
    """Give a key as TOML has it, in quotes where it needs them."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_text(key)


def toml_text(value: object) -> str:
    """Give a value as TOML has it: texts, numbers, booleans, and lists of them."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_text(entry) for entry in value)}]"
    return repr(value)
