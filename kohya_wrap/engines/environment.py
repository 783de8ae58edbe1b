"""The engine's environment: Python with torch, accelerate and pinned packages, built once, found by a hash of them."""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from kohya_wrap.engines.engine import Say
from kohya_wrap.engines.locks import waiting_lock
from kohya_wrap.engines.preflight import Interpreter, choose_interpreter, require_space
from kohya_wrap.errors import EngineError
from kohya_wrap.files import write_whole
from kohya_wrap.launch import LaunchPlan, OutputLine
from kohya_wrap.launch.environment import clean_environment
from kohya_wrap.launch.process import run_process
from kohya_wrap.paths import CachePaths, package_data

MARKER = "ready.json"
PIP_ELSEWHERE = frozenset({"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_DRY_RUN", "PIP_CONSTRAINT", "PIP_REQUIREMENT"})
"""Settings of pip that would put the packages elsewhere or choose others; all the user's others are respected."""
_FETCHING = re.compile(r"^\s*(?:Downloading|Using cached) (\S+?)-(\d[^-]*)-\S+ \(((\d+)(?:\.\d+)? [MG]B)\)")
_WORTH_SAYING = 40
"""MB: a package below this is there before the sentence is read."""


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """What an environment is to hold. `space`: bytes that a fresh build needs."""

    requirements: Path
    constraints: Path
    interpreter: Interpreter
    space: int = 10 * 10**9

    @property
    def key(self) -> str:
        """Sixteen hex digits that change with either list, Python's version, or the platform."""
        digest = hashlib.sha256()
        for part in (self.requirements.read_bytes(), self.constraints.read_bytes()):
            digest.update(hashlib.sha256(part).digest())
        digest.update(f"{self.interpreter.version} {sys.platform} {platform.machine()}".encode())
        return digest.hexdigest()[:16]

    def folder(self, cache: CachePaths) -> Path:
        """Give the environment's folder, whether it is there or not."""
        return cache.environments / self.key


def engine_spec(vendor: Path | None = None) -> EnvironmentSpec:
    """Give the environment that both engines share. Raises EngineError where no Python fits."""
    home = vendor or package_data("vendor")
    return EnvironmentSpec(
        requirements=home / "requirements-engine.txt",
        constraints=home / "constraints-engine.txt",
        interpreter=choose_interpreter(),
    )


def environment_python(folder: Path) -> Path:
    """Give the python of an environment."""
    return folder / "bin" / "python"


def is_ready(folder: Path) -> bool:
    """Whether the environment was built to its end."""
    return (folder / MARKER).is_file() and environment_python(folder).exists()


def ensure_environment(
    spec: EnvironmentSpec, cache: CachePaths, *, say: Say, environ: Mapping[str, str] | None = None
) -> Path:
    """Have the environment, built now where it is missing, and give its python.

    Safe to repeat, to interrupt (a folder without its marker is built anew; pip's own cache keeps the downloads) and
    to run twice at once. pip is used as the user has configured it. Raises EngineError.
    """
    folder = spec.folder(cache)
    if is_ready(folder):
        return environment_python(folder)
    variables = os.environ if environ is None else environ
    try:
        cache.environments.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(
            f"cannot be made: {error.strerror}",
            where=str(cache.environments),
            todo="point KOHYA_WRAP_HOME to a folder on a large disk that you may write to",
        ) from error
    with waiting_lock(FileLock(f"{folder}.lock"), "the engine's environment", say):
        if not is_ready(folder):
            _build(spec, folder, say=say, environ=variables)
    return environment_python(folder)


def _build(spec: EnvironmentSpec, folder: Path, *, say: Say, environ: Mapping[str, str]) -> None:
    started = time.monotonic()
    if folder.exists():
        say("An earlier setup did not get to its end; starting over")
        shutil.rmtree(folder)
    require_space(folder.parent, spec.space)
    say(f"Building the engine's environment in {folder} (Python {spec.interpreter.version}; once, some minutes)")
    _make_venv(spec.interpreter.path, folder)
    _install(spec, folder, say=say, environ=environ)
    write_whole(folder / MARKER, json.dumps({"key": spec.key, "packages": _installed(folder)}, indent=1))
    say(f"The engine's environment is ready ({time.monotonic() - started:.0f} s)")


def _make_venv(python: Path, folder: Path) -> None:
    # Links to the interpreter, not copies: a copy of a shared-library Python does not start.
    command = (str(python), "-I", "-m", "venv", "--symlinks", str(folder))
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except subprocess.CalledProcessError as error:
        shutil.rmtree(folder, ignore_errors=True)
        said = [line for line in (error.stdout + error.stderr).splitlines() if line.strip()]
        raise EngineError(
            f"{python} cannot make an environment: {' '.join(said[:2]) or error}",
            where=str(folder),
            todo="install Python's venv module (Debian and Ubuntu: apt install python3-venv) and run it again",
        ) from error


def _install(spec: EnvironmentSpec, folder: Path, *, say: Say, environ: Mapping[str, str]) -> None:
    plan = LaunchPlan(
        argv=(
            *(str(environment_python(folder)), "-I", "-m", "pip", "install", "--no-input", "--progress-bar", "off"),
            *("--disable-pip-version-check", "--no-warn-script-location"),
            *("--requirement", str(spec.requirements), "--constraint", str(spec.constraints)),
        ),
        env=clean_environment(_without(environ, PIP_ELSEWHERE), add={"PIP_USER": "0"}, keep=("PIP_", "NETRC")),
        cwd=folder,
    )
    log = folder / "setup.log"
    reader = PipReader(say)
    outcome = run_process(plan, on_line=reader.line, log=log)
    if outcome.returncode != 0:
        raise EngineError(
            f"pip could not install the engine's packages: {reader.error or f'exit code {outcome.returncode}'}",
            where=str(log),
            todo=_todo(reader.error),
        )


class PipReader:
    """Turns pip's output into a sentence per package that is fetched."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self.error = ""

    def line(self, line: OutputLine) -> None:
        """Take one line of pip's."""
        fetched = _FETCHING.match(line.text)
        if fetched and (int(fetched[4]) >= _WORTH_SAYING or fetched[3].endswith("GB")):
            self._say(f"Fetching {fetched[1]} {fetched[2]} ({fetched[3]})")
        elif line.text.startswith("Installing collected packages"):
            self._say(f"Installing {line.text.count(',') + 1} packages")
        elif line.text.startswith("ERROR:"):
            # The first one names the cause; what follows is what follows from it.
            self.error = self.error or line.text.removeprefix("ERROR:").strip()


def _without(environ: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in names}


def _todo(error: str) -> str:
    if "No space left" in error:
        return "free some space, or point KOHYA_WRAP_HOME to a larger disk, and run it again"
    if "No matching distribution" in error or "find a version" in error:
        return "check pip's configuration and the network (pip config list), and run it again"
    return "read the log, and run it again; what was downloaded is kept in pip's cache"


def _installed(folder: Path) -> dict[str, str]:
    """Read the versions of what is installed from the names of the metadata folders."""
    found = {}
    for info in sorted(folder.glob("lib/python3*/site-packages/*.dist-info")):
        name, _, version = info.name.removesuffix(".dist-info").rpartition("-")
        found[name.replace("_", "-").lower()] = version
    return found


def installed_packages(folder: Path) -> dict[str, str]:
    """Give what a ready environment holds, by package name; empty where there is none."""
    with suppress(OSError, ValueError, KeyError):
        return dict(json.loads((folder / MARKER).read_text(encoding="utf-8"))["packages"])
    return {}
