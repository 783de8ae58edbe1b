"""What must be so before an environment is built: a Python that the pinned packages know, and room on the disk."""

import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.errors import EngineError, Problem

SUPPORTED = ((3, 11), (3, 12), (3, 13))
"""Versions of Python for which every pinned package has a wheel or builds from pure Python (resolved with pip)."""
TESTED_PLATFORM = ("linux", "x86_64")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A python to build from; `version` as "3.11"."""

    path: Path
    version: str


def choose_interpreter() -> Interpreter:
    """Give this process's own python where the engine supports its version, else one from PATH. Raises EngineError."""
    if sys.version_info[:2] in SUPPORTED:
        return Interpreter(Path(sys.executable), f"{sys.version_info[0]}.{sys.version_info[1]}")
    for major, minor in SUPPORTED:
        found = shutil.which(f"python{major}.{minor}")
        if found and _answers(found, f"{major}.{minor}"):
            return Interpreter(Path(found), f"{major}.{minor}")
    names = ", ".join(f"{major}.{minor}" for major, minor in SUPPORTED)
    raise EngineError(
        f"the engine's packages need Python {names}; this is {platform.python_version()} and PATH has none of them",
        where=sys.executable,
        todo="install one of them, or set engine.python to the python of an environment that runs sd-scripts",
    )


def _answers(python: str, version: str) -> bool:
    """Whether it starts: a version manager's stand-in on PATH may not."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run((python, "-I", "-c", code), capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.strip() == version


def require_space(folder: Path, needed: int) -> None:
    """Raise EngineError where less than `needed` bytes are free for `folder`, which need not exist yet."""
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise EngineError(
            f"needs {needed / 1e9:.0f} GB of free disk, and {free / 1e9:.1f} GB are free",
            where=str(folder),
            todo="free some space, or point KOHYA_WRAP_HOME to a larger disk",
        )
    # pip unpacks the largest package, torch, in the temporary folder, which may be a small disk of its own.
    temporary = Path(tempfile.gettempdir())
    need_there = needed // 5
    if temporary.stat().st_dev != place.stat().st_dev and shutil.disk_usage(temporary).free < need_there:
        raise EngineError(
            f"pip needs about {need_there / 1e9:.0f} GB there while it installs, "
            f"and {shutil.disk_usage(temporary).free / 1e9:.1f} GB are free",
            where=str(temporary),
            todo="point TMPDIR to a folder on a larger disk",
        )


def platform_problems() -> tuple[Problem, ...]:
    """Say what is untested about this machine's platform."""
    here = (sys.platform, platform.machine())
    if here == TESTED_PLATFORM:
        return ()
    return (
        Problem(
            where="platform",
            what=f"{here[0]} on {here[1]} has not been tested; xformers is left out there",
            todo="use Linux on x86_64, or go on and see",
            severity="warning",
        ),
    )
