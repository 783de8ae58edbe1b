"""extras.override_config_file and override_dataset_config_file: ready-made TOML files in place of the fields."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from kohya_wrap.config import ExtrasConfig
from kohya_wrap.errors import PresetError, Problem
from kohya_wrap.paths import expanded
from kohya_wrap.sd_scripts.job import Overrides
from kohya_wrap.sd_scripts.options import DEFAULT_SCRIPT, is_option, nearest_option


def read_overrides(extras: ExtrasConfig, *, root: Path) -> Overrides:
    """Read the files that a preset names; relative paths start at `root`. Raises PresetError with every problem."""
    problems: list[Problem] = []
    training = _read("extras.override_config_file", extras.override_config_file, root, problems)
    dataset = _read("extras.override_dataset_config_file", extras.override_dataset_config_file, root, problems)
    if problems:
        raise PresetError.of(problems)
    return Overrides(training=training, dataset=dataset)


def check_overrides(overrides: Overrides, script: str = DEFAULT_SCRIPT) -> list[Problem]:
    """Warn of every key of an override training file that is no option: the engine ignores it without a word."""
    given = flatten(overrides.training or {})
    return [
        Problem(
            f"extras.override_config_file, {key}",
            "is no option of sd-scripts and would be ignored",
            f'did you mean "{near}"?' if (near := nearest_option(key, script)) else "remove it",
            "warning",
        )
        for key in given
        if not is_option(key, script)
    ]


def _read(where: str, given: str, root: Path, problems: list[Problem]) -> Mapping[str, object] | None:
    if not given:
        return None
    path = root / expanded(given)
    try:
        # A byte-order mark would swallow the first key in the engine; utf-8-sig takes it off.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        problems.append(Problem(where, f"{path} cannot be read: {error.strerror}", "correct the path"))
    except UnicodeDecodeError:
        problems.append(Problem(where, f"{path} is not UTF-8", "save it as UTF-8"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        problems.append(Problem(where, f"{path} is not TOML: {error}", "correct the file"))
    return None


def flatten(tables: Mapping[str, object]) -> dict[str, object]:
    """Give a training file's values by key, as the engine sees them: table names mean nothing, the last one wins."""
    values: dict[str, object] = {}
    for key, value in tables.items():
        if isinstance(value, Mapping):
            values.update(value)
        else:
            values[key] = value
    return values
