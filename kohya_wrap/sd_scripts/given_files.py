"""Files that a preset names for the engine itself: found missing before the launch, not minutes into it."""

from collections.abc import Iterator
from pathlib import Path

from kohya_wrap.config import TrainConfig
from kohya_wrap.errors import PresetError, Problem
from kohya_wrap.files import kind_of
from kohya_wrap.paths import expanded
from kohya_wrap.sd_scripts.job import Overrides
from kohya_wrap.sd_scripts.option_owners import PATH_OPTIONS
from kohya_wrap.sd_scripts.overrides import check_overrides, read_overrides


def check_given_files(config: TrainConfig, *, root: Path) -> list[Problem]:
    """List the files that a preset names and that are not there; relative paths start at `root`.

    continue_from_lora must be a .safetensors file (the notebook's check), resume a state folder, and what [sd_scripts]
    names must exist.
    """
    return [*_lora(config, root), *_state(config, root), *_passed_through(config, root)]


def read_given_files(config: TrainConfig, *, root: Path, script: str) -> tuple[Overrides, tuple[Problem, ...]]:
    """Read the ready-made TOML files of [extras]; give them, and what is wrong with any file that a preset names."""
    given = check_given_files(config, root=root)
    try:
        files = read_overrides(config.extras, root=root)
    except PresetError as error:
        return Overrides(), (*given, *error.problems)
    return files, (*given, *check_overrides(files, script))


def _lora(config: TrainConfig, root: Path) -> Iterator[Problem]:
    given = config.training.continue_from_lora
    if not given:
        return
    path = root / expanded(given)
    if path.suffix != ".safetensors":
        yield Problem("training.continue_from_lora", f"{path.name} is no .safetensors file", "give a LoRA file")
    elif kind_of(path) != "file":
        yield Problem("training.continue_from_lora", f"{path} is not there", "correct the path")


def _state(config: TrainConfig, root: Path) -> Iterator[Problem]:
    given = config.training.resume
    if not given:
        return
    path = root / expanded(given)
    if kind_of(path) != "folder":
        yield Problem("training.resume", f"{path} is no folder", "give a …-state folder that save_state left")
    elif kind_of(path / "train_state.json") != "file":
        yield Problem("training.resume", f"{path} holds no train_state.json", "give a folder that save_state left")


def _passed_through(config: TrainConfig, root: Path) -> Iterator[Problem]:
    for name in sorted(PATH_OPTIONS & config.sd_scripts.keys()):
        value = config.sd_scripts[name]
        for given in value if isinstance(value, list) else [value]:
            path = root / expanded(str(given))
            if not kind_of(path):
                yield Problem(f"sd_scripts.{name}", f"{path} is not there", "correct the path")
