"""What a probe of an engine's environment found, kept per environment and machine so that Python starts for it once."""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kohya_wrap.engines.nvidia import Driver
from kohya_wrap.errors import EngineError
from kohya_wrap.files import write_whole
from kohya_wrap.launch.environment import clean_environment
from kohya_wrap.paths import CachePaths

SCRIPT = Path(__file__).with_name("probe.py")
PROBE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Probe:
    """The facts. `xformers` and `bitsandbytes`: each took a step on the GPU; `errors`: why one did not."""

    python: str
    versions: Mapping[str, str] = field(default_factory=dict)
    cuda: bool = False
    cuda_version: str = ""
    gpus: tuple[str, ...] = ()
    xformers: bool = False
    bitsandbytes: bool = False
    errors: Mapping[str, str] = field(default_factory=dict)


def read_probe(python: Path, driver: Driver, cache: CachePaths) -> Probe | None:
    """Give what an earlier probe of this environment found on this machine; None where there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return _parse(_place(python, driver, cache).read_text(encoding="utf-8"))
    return None


def ensure_probe(python: Path, driver: Driver, cache: CachePaths, *, environ: Mapping[str, str] | None = None) -> Probe:
    """Give the probe of an environment, made now where it is missing; about five seconds. Raises EngineError."""
    known = read_probe(python, driver, cache)
    if known is not None:
        return known
    text = _run(python, os.environ if environ is None else environ)
    probe = _parse(text)
    place = _place(python, driver, cache)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_whole(place, text + "\n")
    return probe


def _run(python: Path, environ: Mapping[str, str]) -> str:
    todo = "check engine.python: it must be the python of an environment with torch"
    try:
        done = subprocess.run(
            (str(python), "-I", str(SCRIPT)),
            env=clean_environment(environ, add={}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
            check=True,
        )
    except OSError as error:
        raise EngineError(f"cannot be started: {error.strerror}", where=str(python), todo=todo) from error
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"said nothing in {PROBE_SECONDS} seconds", where=str(python), todo=todo) from error
    except subprocess.CalledProcessError as error:
        last = (str(error.stderr).strip().splitlines() or [f"exit code {error.returncode}"])[-1]
        raise EngineError(f"cannot run a small script: {last}", where=str(python), todo=todo) from error
    # Packages print what they like on import; the facts are the last line.
    return (done.stdout.strip().splitlines() or ["{}"])[-1]


def _parse(text: str) -> Probe:
    found = json.loads(text)
    errors = {name: why for name, why in found["errors"].items() if why}
    works = {name: found["cuda"] and found["errors"].get(name) == "" for name in ("xformers", "bitsandbytes")}
    return Probe(
        python=found["python"],
        versions=found["versions"],
        cuda=found["cuda"],
        cuda_version=found.get("cuda_version", ""),
        gpus=tuple(found["gpus"]),
        xformers=works["xformers"],
        bitsandbytes=works["bitsandbytes"],
        errors=errors,
    )


def _place(python: Path, driver: Driver, cache: CachePaths) -> Path:
    """Name the probe by the environment as it is now and by the GPUs that its result depends on."""
    parts = [str(python), *(str(_changed(path)) for path in _witnesses(python))]
    parts += [driver.version, *(gpu.name for gpu in driver.gpus)]
    parts.append(hashlib.sha256(SCRIPT.read_bytes()).hexdigest())
    return cache.home / "probes" / f"{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:20]}.json"


def _witnesses(python: Path) -> list[Path]:
    """List what changes when the environment does: the interpreter, and the folders that packages are installed in."""
    return [python, *sorted(python.parent.parent.glob("lib/python3*/site-packages"))]


def _changed(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return 0
