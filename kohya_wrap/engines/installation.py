"""The python that an engine runs in: the shared environment that setup builds, or one that the preset names."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.config import EngineConfig
from kohya_wrap.engines.engine import EngineStatus, Say
from kohya_wrap.engines.environment import (
    EnvironmentSpec,
    engine_spec,
    ensure_environment,
    environment_python,
    installed_packages,
    is_ready,
)
from kohya_wrap.engines.nvidia import read_driver
from kohya_wrap.engines.preflight import platform_problems
from kohya_wrap.engines.probe import PACKAGES
from kohya_wrap.engines.probing import ensure_probe, read_probe
from kohya_wrap.errors import EngineError, Problem
from kohya_wrap.paths import CachePaths, expanded

NEEDED = ("torch", "accelerate", "transformers", "diffusers", "safetensors")
"""Packages without which no engine starts."""


def absolute(given: str) -> Path:
    """Give a path of the preset as absolute, `~` expanded, links kept: a venv's python is a link, and must stay one."""
    return Path(os.path.abspath(expanded(given)))  # noqa: PTH100 - Path.absolute keeps "..", resolve drops links


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the engine's python is, or would be. `spec` is None for one of the user's own.

    `faults`: why there can be none, which setup cannot mend.
    """

    python: Path
    cache: CachePaths
    spec: EnvironmentSpec | None = None
    faults: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, config: EngineConfig, cache: CachePaths) -> "Installation":
        """Find it; a machine without a Python that fits gives one whose `faults` say so."""
        if config.python:
            python = absolute(config.python)
            return cls(python, cache, faults=_own_python_problems(python))
        try:
            spec = engine_spec()
        except EngineError as error:
            return cls(cache.environments / "none" / "bin" / "python", cache, faults=error.problems)
        return cls(environment_python(spec.folder(cache)), cache, spec)

    @property
    def missing(self) -> tuple[Problem, ...]:
        """Say what is not there now; empty once setup has been."""
        if self.spec is None or is_ready(self.spec.folder(self.cache)):
            return self.faults
        todo = "kohya-wrap setup builds it: about 4 GB of download, 8 GB of disk, some minutes, once"
        return (Problem(str(self.spec.folder(self.cache)), "the engine's environment is not built", todo),)

    def status(self, script: Path, commit: str, missing: tuple[Problem, ...] = ()) -> EngineStatus:
        """Give the engine's status with what is known of its environment."""
        driver = read_driver()
        probe = None if self.missing else read_probe(self.python, driver, self.cache)
        unknown = Problem(
            where=str(self.python),
            what="the environment has not been tried on this machine yet",
            todo="kohya-wrap setup does that, in some seconds",
        )
        packages = dict(probe.versions) if probe else self._listed()
        lacking = () if probe or self.missing else (unknown,)
        return EngineStatus(
            python=self.python,
            script=script,
            commit=commit,
            missing=(
                *missing,
                *self.missing,
                *lacking,
                *_lacking_packages(self.python, packages, known=probe is not None),
            ),
            versions=packages,
            driver=driver,
            xformers=bool(probe and probe.xformers),
            bitsandbytes=bool(probe and probe.bitsandbytes),
        )

    def ensure(self, say: Say, *, environ: Mapping[str, str] | None = None) -> None:
        """Build the environment where it is missing, and try it once on this machine. Raises EngineError."""
        if self.spec is not None:
            for problem in platform_problems():
                say(str(problem))
            ensure_environment(self.spec, self.cache, say=say, environ=environ)
        elif self.faults:
            raise EngineError.of(self.faults)
        probe = ensure_probe(self.python, read_driver(), self.cache, environ=environ)
        if absent := [name for name in NEEDED if name not in probe.versions]:
            raise EngineError.of(
                _lacking_packages(self.python, probe.versions, known=True), what=f"{len(absent)} missing"
            )

    def _listed(self) -> dict[str, str]:
        if self.spec is None:
            return {}
        packages = installed_packages(self.spec.folder(self.cache))
        return {name: packages[name] for name in PACKAGES if name in packages}


def _own_python_problems(python: Path) -> tuple[Problem, ...]:
    if python.is_file() and os.access(python, os.X_OK):
        return ()
    todo = "give the python of an environment that runs sd-scripts (its bin/python), or leave engine.python empty"
    return (Problem(where="engine.python", what=f"{python} is not there, or is not a program", todo=todo),)


def _lacking_packages(python: Path, packages: Mapping[str, str], *, known: bool) -> tuple[Problem, ...]:
    if not known:
        return ()
    return tuple(
        Problem(
            where=str(python),
            what=f"this environment has no {name}",
            todo=f"install {name} there, or leave engine.python empty",
        )
        for name in NEEDED
        if name not in packages
    )
