"""The options of sd-scripts' training scripts, as generated from the pinned checkout."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

OPTIONS_FILE = Path(__file__).with_name("options.json")
DEFAULT_SCRIPT = "train_network.py"

OptionType = Literal["bool", "int", "float", "str", "int_or_float", "Path"]
Scalar = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `many`: it takes a list. `choices`: the values it can have, empty for any."""

    name: str
    type: OptionType
    many: bool
    default: Scalar | None
    choices: tuple[Scalar, ...]
    scripts: tuple[str, ...]


@cache
def _document() -> dict[str, object]:
    loaded: dict[str, object] = json.loads(OPTIONS_FILE.read_text(encoding="utf-8"))
    return loaded


@cache
def options() -> Mapping[str, Option]:
    """Give every option by name. Read once, under 5 ms. Source: options.json (`make options`)."""
    entries = _document()["options"]
    assert isinstance(entries, list)  # noqa: S101  the file is ours
    return {
        entry["name"]: Option(
            name=entry["name"],
            type=entry["type"],
            many=entry["nargs"] is not None,
            default=entry["default"],
            choices=tuple(choice for choice in entry["choices"] or () if choice is not None),
            scripts=tuple(entry["scripts"]),
        )
        for entry in entries
    }


def options_commit() -> str:
    """Give the sd-scripts commit that options.json was generated from."""
    return str(_document()["commit"])


def is_option(name: str, script: str = DEFAULT_SCRIPT) -> bool:
    """Say whether a script takes this option."""
    option = options().get(name)
    return option is not None and script in option.scripts


def nearest_option(name: str, script: str = DEFAULT_SCRIPT) -> str:
    """Give the option whose name is nearest to a misspelt one; empty when none is near."""
    plain = name.lower().lstrip("-").replace("-", "_")
    names = [option.name for option in options().values() if script in option.scripts]
    if plain in names:
        return plain
    return next(iter(difflib.get_close_matches(plain, names, n=1, cutoff=0.7)), "")
