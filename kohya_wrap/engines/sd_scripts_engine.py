"""The real engine: kohya's sd-scripts, at its pinned commit or as the user has installed it."""

from collections.abc import Sequence
from pathlib import Path

from kohya_wrap.base_models.types import BaseModelFile
from kohya_wrap.config import EngineConfig, HardwareChoices, TrainConfig
from kohya_wrap.engines.checkout import ENTRY, checkout_folder, ensure_checkout, head_commit, is_ready, read_pin
from kohya_wrap.engines.command import training_plan
from kohya_wrap.engines.engine import EngineStatus, Say
from kohya_wrap.engines.installation import Installation, absolute
from kohya_wrap.errors import EngineError, Problem
from kohya_wrap.launch import LaunchPlan
from kohya_wrap.paths import CachePaths, RunPaths

UNKNOWN_COMMIT = "unknown"


class SdScriptsEngine:
    """Engine `sd-scripts`."""

    name = "sd-scripts"
    resume_differs = (
        "sd-scripts deals out the pictures anew where it goes on: steps, epochs, learning rates and optimizer are as "
        "if nobody had stopped it, but the LoRA is not the same bit by bit, and within an epoch some pictures come "
        "twice and others not at all"
    )
    """Source: facts 5; accelerate's loader, which draws its order from the random state that is restored (tried)."""

    def __init__(self, config: EngineConfig, cache: CachePaths) -> None:
        self._pin = read_pin()
        self._own = absolute(config.sd_scripts_dir) if config.sd_scripts_dir else None
        self._folder = self._own or checkout_folder(self._pin, cache)
        self._installation = Installation.of(config, cache)

    def problems(self, config: TrainConfig) -> Sequence[Problem]:
        """Say what is wrong with an installation that the preset names, and what cannot be trained here."""
        found = list(self._own_folder_problems())
        found += self._installation.faults if config.engine.python else ()
        if config.setup.training_model == "Tiny random" and not config.setup.optional_custom_training_model_url:
            todo = 'set engine.name = "embedded", or choose a real base model'
            found.append(Problem("setup.training_model", "only the embedded engine trains the toy base", todo))
        return found

    def status(self) -> EngineStatus:
        """Look at what is there."""
        if self._own is not None:
            missing = tuple(problem for problem in self._own_folder_problems() if problem.severity == "error")
        elif is_ready(self._folder, self._pin):
            missing = ()
        else:
            what = f"sd-scripts {self._pin.version} ({self._pin.commit[:12]}) has not been fetched"
            missing = (Problem(str(self._folder), what, "kohya-wrap setup fetches it: 9 MB"),)
        commit = head_commit(self._folder) or UNKNOWN_COMMIT
        return self._installation.status(self._folder / ENTRY, commit, missing)

    def setup(self, say: Say) -> EngineStatus:
        """Fetch and build what is missing."""
        if self._own is None:
            ensure_checkout(self._folder, self._pin, say=say)
        for problem in self._own_folder_problems():
            if problem.severity == "error":
                raise EngineError.of([problem])
            say(str(problem))
        self._installation.ensure(say)
        return self.status()

    def make_builtin_base(self, base: BaseModelFile, say: Say) -> None:
        """Refuse: random weights of a toy's size are not something that sd-scripts can train."""
        raise EngineError(
            "only the embedded engine makes and trains the toy base model",
            where="setup.training_model",
            todo='set engine.name = "embedded", or choose a real base model',
        )

    def launch_plan(self, run: RunPaths, *, script: str, choices: HardwareChoices, gpu_ids: str) -> LaunchPlan:
        """Start `script` of the checkout under accelerate."""
        return training_plan(self._installation.python, self._folder / script, run, choices=choices, gpu_ids=gpu_ids)

    def _own_folder_problems(self) -> tuple[Problem, ...]:
        if self._own is None:
            return ()
        where = "engine.sd_scripts_dir"
        if not (self._own / ENTRY).is_file():
            todo = "give the folder of an sd-scripts checkout, or leave it empty"
            return (Problem(where, f"there is no {ENTRY} in {self._own}", todo),)
        return self._commit_warning(where, self._own)

    def _commit_warning(self, where: str, own: Path) -> tuple[Problem, ...]:
        commit = head_commit(own)
        if commit == self._pin.commit:
            return ()
        what = (
            f"this is sd-scripts at {commit[:12] or 'an unknown commit'}; "
            f"options and messages are known for {self._pin.commit[:12]} ({self._pin.version})"
        )
        todo = "expect options that are refused, or lines that are not understood"
        return (Problem(where, what, todo, severity="warning"),)
