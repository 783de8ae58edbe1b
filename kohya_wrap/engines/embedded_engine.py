"""The small engine: a training script of our own, for demos and tests, behind the same command line as sd-scripts'."""

import os
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from filelock import FileLock

from kohya_wrap._version import __version__
from kohya_wrap.base_models.named import TINY_RANDOM
from kohya_wrap.base_models.types import BaseModelFile
from kohya_wrap.config import EngineConfig, HardwareChoices, SetupConfig, TrainConfig
from kohya_wrap.engines.command import fixed_environment, training_plan
from kohya_wrap.engines.embedded.honoured import (
    HONOURED_DATASET_KEYS,
    HONOURED_TRAINING_KEYS,
    OPTIMIZERS,
    TRAINING,
    dataset_refusals,
    refusals,
)
from kohya_wrap.engines.engine import EngineStatus, Say
from kohya_wrap.engines.installation import Installation
from kohya_wrap.engines.locks import waiting_lock
from kohya_wrap.errors import EngineError, Problem
from kohya_wrap.launch import LaunchPlan
from kohya_wrap.launch.environment import clean_environment
from kohya_wrap.launch.process import run_process
from kohya_wrap.paths import CachePaths, RunPaths
from kohya_wrap.sd_scripts.option_owners import FIELDS

FOLDER = Path(__file__).with_name("embedded")
SINGLE_FILES = frozenset({".safetensors", ".ckpt", ".pt"})
USE_SD_SCRIPTS = 'set engine.name = "sd-scripts", which does'

HONOURED_OPTIONS = HONOURED_TRAINING_KEYS | HONOURED_DATASET_KEYS | {"dataset_repeats", "train_data_dir"}
HONOURED_VALUES: Mapping[str, tuple[object, ...]] = {
    "structure.lora_type": ("LoRA",),
    "optimizer.optimizer": (*OPTIMIZERS, "AdamW8bit"),
    "training.weighted_captions": (False,),
    "setup.custom_model_is_based_on_sd2": (False,),
    "setup.custom_model_is_sdxl": (False,),
    "engine.attention": ("auto", "sdpa", "none"),
    "engine.max_data_loader_n_workers": (-1, 0),
    "engine.fidelity": ("hardware",),
    "engine.cache_latents": (True,),
    "samples.while_training": (False,),
    "extras.override_config_file": ("",),
    "extras.override_dataset_config_file": ("",),
}
"""Fields of which only these values are honoured. AdamW8bit becomes AdamW, because this engine runs on the CPU."""
NO_EFFECT: Mapping[str, object] = {"training.clip_skip": 1, "training.max_token_length": 75}
"""Values that ask for nothing, next to 0, false and empty; a field that has one need not be honoured."""


class EmbeddedEngine:
    """Engine `embedded`."""

    name = "embedded"
    resume_differs = ""

    def __init__(self, config: EngineConfig, cache: CachePaths) -> None:
        self._installation = Installation.of(config, cache)

    def problems(self, config: TrainConfig) -> Sequence[Problem]:
        """List every field and every option of [sd_scripts] that this engine does not honour."""
        found = [
            Problem(f"sd_scripts.{option}", said.partition(": ")[2], USE_SD_SCRIPTS)
            for option, value in config.sd_scripts.items()
            for said in refusals({option: value}, TRAINING, "sd_scripts")
        ]
        found += _unhonoured_fields(config)
        found += _custom_dataset(config.extras.custom_dataset)
        found += _single_file_base(config.setup)
        found += self._installation.faults if config.engine.python else ()
        return found

    def status(self) -> EngineStatus:
        """Look at what is there; the script itself comes with this package."""
        return self._installation.status(FOLDER / "train_network.py", __version__)

    def setup(self, say: Say) -> EngineStatus:
        """Build the environment where it is missing."""
        self._installation.ensure(say)
        return self.status()

    def make_builtin_base(self, base: BaseModelFile, say: Say) -> None:
        """Write the toy base model at `base.path` if it is not there yet, whole or not at all. Raises EngineError."""
        base.path.parent.mkdir(parents=True, exist_ok=True)
        with waiting_lock(FileLock(f"{base.path}.lock"), "the toy base model", say):
            if not base.path.exists():
                say(f"Making the toy base model in {base.path}")
                self._make_base(base.path)

    def _make_base(self, target: Path) -> None:
        part = target.with_name(f".{target.name}.part")
        log = target.with_name(f"{target.name}.log")
        shutil.rmtree(part, ignore_errors=True)
        plan = LaunchPlan(
            argv=(str(self._installation.python), str(FOLDER / "make_base.py"), "--out", str(part)),
            env=clean_environment(os.environ, add={**fixed_environment(num_cpu_threads=1), "CUDA_VISIBLE_DEVICES": ""}),
            cwd=target.parent,
        )
        last_words: list[str] = []
        outcome = run_process(plan, on_line=lambda line: last_words.append(line.text), log=log)
        if outcome.returncode != 0 or not part.exists():
            raise EngineError(
                f"the toy base model could not be made: {(last_words or ['nothing was said'])[-1]}",
                where=str(log),
                todo="run kohya-wrap doctor to see what the engine's environment lacks",
            )
        part.replace(target)
        log.unlink()

    def launch_plan(self, run: RunPaths, *, script: str, choices: HardwareChoices, gpu_ids: str) -> LaunchPlan:
        """Start this package's own script of that name under accelerate."""
        return training_plan(self._installation.python, FOLDER / script, run, choices=choices, gpu_ids=gpu_ids)


def _unhonoured_fields(config: TrainConfig) -> Iterator[Problem]:
    for field in sorted({*FIELDS.values(), *HONOURED_VALUES}):
        table, _, key = field.partition(".")
        value = getattr(getattr(config, table), key)
        if field in HONOURED_VALUES:
            if value not in HONOURED_VALUES[field]:
                known = ", ".join(str(each) for each in HONOURED_VALUES[field])
                yield Problem(field, f"the embedded engine does not honour {value} (it knows {known})", USE_SD_SCRIPTS)
        elif value and value != NO_EFFECT.get(field) and not _is_honoured(field):
            yield Problem(field, "the embedded engine does not honour this field", USE_SD_SCRIPTS)


def _custom_dataset(text: str) -> Iterator[Problem]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # the dataset room says so
    for said in dataset_refusals(document):
        yield Problem("extras.custom_dataset", said, USE_SD_SCRIPTS)


def _single_file_base(setup: SetupConfig) -> Iterator[Problem]:
    """Refuse base models that are one file by their name; a link that only turns out to be one fails at the load."""
    given = setup.optional_custom_training_model_url
    todo = f'give a diffusers folder, or training_model = "{TINY_RANDOM}"; or {USE_SD_SCRIPTS}'
    if given and PurePosixPath(urlsplit(given).path).suffix.lower() in SINGLE_FILES:
        what = "the embedded engine reads a diffusers folder, not a single file"
        yield Problem("setup.optional_custom_training_model_url", what, todo)
    elif not given and setup.training_model != TINY_RANDOM:
        what = f"{setup.training_model} is a single file, and the embedded engine reads a diffusers folder"
        yield Problem("setup.training_model", what, todo)


def _is_honoured(field: str) -> bool:
    return any(option in HONOURED_OPTIONS for option, owner in FIELDS.items() if owner == field)
