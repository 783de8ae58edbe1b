"""A preset's values as a stranger's file gives them: checked one by one, with notes on what is not known."""

import re
import shlex
from collections.abc import Mapping

from pydantic import ValidationError

from kohya_wrap.config import TrainConfig
from kohya_wrap.config.base import Table
from kohya_wrap.config.docs import table_types
from kohya_wrap.config.rules import check
from kohya_wrap.presets import Given
from kohya_wrap.presets.validate import ANY_TEXT, unusable
from kohya_wrap.sd_scripts import check_passthrough

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_PASSED = "sd_scripts"


class Draft:
    """Values for the preset `name`, made from `source`. Nothing that the config would refuse gets in."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self._source = source
        self._values: dict[str, object] = {}
        self._notes: list[str] = []

    def put(self, where: str, value: object) -> None:
        """Set "table.key"; a value that it cannot have becomes a note. None is no value."""
        if value is None:
            return
        clean = _clean(value)
        if (unusable(clean) and where not in ANY_TEXT) or _refused(where, clean):
            self.note(f"{where} cannot be {_short(clean)}: left as it is in the preset that this one extends.")
        else:
            self._values[where] = clean

    def pass_through(self, option: str, value: object) -> None:
        """Set an option of sd-scripts that no field covers; what a preset may not set becomes a note."""
        clean = _clean(value)
        clean = list(clean) if isinstance(clean, tuple) else clean
        if wrong := unusable(clean):
            self.note(f"{option} = {_short(clean)} was left out: it {wrong[0]}.")
            return
        if problems := check_passthrough({**self._tables(), _PASSED: {option: clean}}):
            self.note(f"{option} = {_short(clean)} was left out: it {problems[0].what}.")
        else:
            self._values[f"{_PASSED}.{option}"] = clean

    def note(self, text: str) -> None:
        """Say something about what is not known or was left out, once."""
        clean = str(_clean(text))
        if clean not in self._notes:
            self._notes.append(clean)

    def has(self, where: str) -> bool:
        """Say whether "table.key" was set."""
        return where in self._values

    def value(self, where: str) -> object:
        """Give what "table.key" was set to, None if it was not."""
        return self._values.get(where)

    def given(self) -> Given:
        """Give everything, for presets.new_preset; values that do not go together with others become notes."""
        for problem in check(self._config()):
            if problem.severity == "error" and problem.where in self._values:
                value = self._values.pop(problem.where)
                self.note(f"{problem.where} was {_short(value)}: left as it is, since {problem.what}.")
        return Given(self._source, dict(self._values), tuple(self._notes))

    def _tables(self) -> dict[str, dict[str, object]]:
        tables = Given(values=self._values).tables()
        tables.setdefault("setup", {}).setdefault("project_name", "name")
        return tables

    def _config(self) -> TrainConfig:
        return TrainConfig.model_validate(self._tables())


def words_of(text: str) -> tuple[str, ...] | None:
    """Split a command line into words; None where a quote or a backslash at the end leaves one open."""
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return None


def _clean(value: object) -> object:
    """Replace half characters, which JSON can hold and UTF-8 cannot; lists become tuples."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list | tuple):
        return tuple(_clean(entry) for entry in value)
    return value


def _refused(where: str, value: object) -> bool:
    table, _, key = where.partition(".")
    kind: type[Table] = table_types(TrainConfig)[table]
    needed: Mapping[str, object] = {"project_name": "name"} if table == "setup" else {}
    try:
        kind.model_validate({**needed, key: value})
    except ValidationError:
        return True
    return False


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]} …"
