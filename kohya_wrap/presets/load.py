"""A preset's name in, its config out, with where each value came from; or all its problems at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kohya_wrap.config import TrainConfig
from kohya_wrap.config.resolve import resolve
from kohya_wrap.errors import PresetError, Problem
from kohya_wrap.presets.merge import SET, Merged, Overrides, merge
from kohya_wrap.presets.names import PASSTHROUGH, fields_by_table
from kohya_wrap.presets.validate import validate

DEFAULT = "default"

Check = Callable[[Mapping[str, object]], list[Problem]]
"""A further check of the merged tables, of a room that comes later."""


@dataclass(frozen=True, slots=True)
class LoadedPreset:
    """A preset that can be used. `paths`: its file and those it extends, the preset itself first.

    `config`: what takes effect. `stated`: the config as written. `origins`: for each "table.key" where its value came
    from: "default", a file's path, "--set", or "rule: " and a reason. `tables`: all files and overrides merged, as
    read.
    """

    name: str
    paths: tuple[Path, ...]
    config: TrainConfig
    stated: TrainConfig
    origins: Mapping[str, str]
    warnings: tuple[Problem, ...]
    tables: Mapping[str, object]

    @property
    def path(self) -> Path:
        """The preset's own file."""
        return self.paths[0]


def load(
    name: str | Path,
    *,
    overrides: Overrides = (),
    checks: Sequence[Check] = (),
    search: Sequence[Path] | None = None,
) -> LoadedPreset:
    """Read a preset by name or path, apply `extends` and overrides, and check all of it.

    `overrides`: "table.key=value" with TOML values, or values by "table.key". `checks` are given the merged tables;
    what they find is reported together with the rest. `search`: the folders for names (default: ./presets, then the
    shipped ones). Raises PresetError with every problem at once, each with its file and table.key.
    """
    merged = merge(name, overrides=overrides, dirs=search)
    config, problems = validate(merged.tables)
    further = [problem for check in checks for problem in check(merged.tables)]
    better = {problem.where for problem in further}
    found = [*merged.problems, *(problem for problem in problems if problem.where not in better), *further]
    placed = [_placed(problem, merged) for problem in found]
    errors = [problem for problem in placed if problem.severity == "error"]
    if errors or config is None:
        count = "1 problem" if len(errors) == 1 else f"{len(errors)} problems"
        raise PresetError.of(errors, what=f"{count} in the preset {merged.paths[0].stem}")
    effective, reasons = resolve(config)
    origins = {**_origins(config, merged), **{where: f"rule: {reason}" for where, reason in reasons.items()}}
    return LoadedPreset(
        name=merged.paths[0].stem,
        paths=merged.paths,
        config=effective,
        stated=config,
        origins=origins,
        warnings=tuple(problem for problem in placed if problem.severity == "warning"),
        tables=merged.tables,
    )


def _origins(config: TrainConfig, merged: Merged) -> dict[str, str]:
    fields = [f"{table}.{key}" for table, kind in fields_by_table().items() for key in kind.model_fields]
    options = [f"{PASSTHROUGH}.{key}" for key in config.sd_scripts]
    return {where: merged.origins.get(where, DEFAULT) for where in (*fields, *options)}


def _placed(problem: Problem, merged: Merged) -> Problem:
    """Put the file, or --set, before a problem's table.key."""
    if problem.where == SET:
        return problem
    origin = merged.origins.get(problem.where) or str(merged.paths[0])
    where = f"{SET} {problem.where}" if origin == SET else f"{short(origin)}: {problem.where}"
    return replace(problem, where=where)


def short(path: str) -> str:
    """Give a path as seen from the current folder, where it lies below it."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
