"""What an engine is: a checkout, an environment, and a command that takes the two TOML files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from kohya_wrap.base_models.types import BaseModelFile
from kohya_wrap.config import HardwareChoices, TrainConfig
from kohya_wrap.engines.nvidia import Driver
from kohya_wrap.errors import Problem
from kohya_wrap.launch.types import LaunchPlan
from kohya_wrap.paths import RunPaths

Say = Callable[[str], None]
"""Takes one sentence of progress."""


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What is there. `missing` is empty when the engine can run; each entry says what setup would do.

    `commit`: sd-scripts' commit, or the package version for the embedded engine. `versions`: of the packages in the
    engine's environment that matter to a result (torch, accelerate, diffusers, …). `driver`: NVIDIA's, as this process
    sees it. `xformers`, `bitsandbytes`: they have been seen to work on this machine's GPU, in that environment.
    """

    python: Path
    script: Path
    commit: str
    missing: tuple[Problem, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    driver: Driver = field(default_factory=Driver)
    xformers: bool = False
    bitsandbytes: bool = False


class Engine(Protocol):
    """One way to train. Registered by name in engines.ENGINES; made by engines.get_engine(config.engine, cache)."""

    @property
    def name(self) -> str:
        """The name in a preset's [engine] table."""
        ...

    @property
    def resume_differs(self) -> str:
        """What a training that goes on from a state does otherwise than one that nobody stopped; empty: nothing."""
        ...

    def problems(self, config: TrainConfig) -> Sequence[Problem]:
        """List every field of the preset that this engine would not honour."""
        ...

    def status(self) -> EngineStatus:
        """Look at what is there, without starting Python or the network; under 50 ms."""
        ...

    def setup(self, say: Say) -> EngineStatus:
        """Fetch and build what is missing; safe to repeat, interrupt, or run twice at once. Raises EngineError."""
        ...

    def make_builtin_base(self, base: BaseModelFile, say: Say) -> None:
        """Write the toy base model at `base.path` if it is not there yet."""
        ...

    def launch_plan(self, run: RunPaths, *, script: str, choices: HardwareChoices, gpu_ids: str) -> LaunchPlan:
        """Say how to start the training whose two TOML files lie in `run`; writes nothing."""
        ...
