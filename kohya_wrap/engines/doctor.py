"""What is there and what is not, row by row, each with what it means for a training."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from kohya_wrap.config import EngineConfig
from kohya_wrap.engines.engine import EngineStatus
from kohya_wrap.engines.installation import Installation
from kohya_wrap.engines.nvidia import Driver
from kohya_wrap.engines.preflight import SUPPORTED, platform_problems
from kohya_wrap.engines.probing import Probe, ensure_probe, read_probe
from kohya_wrap.engines.sd_scripts_engine import UNKNOWN_COMMIT, SdScriptsEngine
from kohya_wrap.errors import EngineError
from kohya_wrap.paths import CachePaths

ENOUGH_MEMORY = 6 * 10**9
"""Bytes of GPU memory that SD 1.5 at 512 pixels and batch 2 trains in without gradient checkpointing."""
SETUP = "run kohya-wrap setup"


@dataclass(frozen=True, slots=True)
class DoctorRow:
    """One thing: what was found, what that means, and whether a training can do with it."""

    name: str
    found: str
    meaning: str
    ok: bool


def doctor(cache: CachePaths, config: EngineConfig, *, deep: bool = False) -> list[DoctorRow]:
    """Look at everything that a training needs; nothing is changed.

    `deep` starts the engine's python once (some seconds) if it has not been tried on this machine; without it, what
    setup found is told.
    """
    engine = SdScriptsEngine(config, cache)
    installation = Installation.of(config, cache)
    trouble = ""
    probe = None
    if not installation.missing:
        try:
            reader = ensure_probe if deep else read_probe
            probe = reader(installation.python, engine.status().driver, cache)
        except EngineError as error:
            trouble = str(error)
    status = engine.status()
    return [
        _python(),
        _platform(),
        _disk(cache, built=not installation.missing),
        _git(status),
        _gpu(status.driver),
        _checkout(status),
        _environment(installation, probe, trouble),
        *_packages(probe, status.driver),
    ]


def _python() -> DoctorRow:
    ok = sys.version_info[:2] in SUPPORTED
    names = ", ".join(f"{major}.{minor}" for major, minor in SUPPORTED)
    meaning = "the engine's environment can be built with it" if ok else f"the engine needs {names} on PATH"
    return DoctorRow("Python", f"{platform.python_version()} ({sys.executable})", meaning, ok)


def _platform() -> DoctorRow:
    problems = platform_problems()
    meaning = "; ".join(problem.what for problem in problems) or "what this project is tested on"
    return DoctorRow("Platform", f"{platform.system()} {platform.machine()}", meaning, not problems)


def _disk(cache: CachePaths, *, built: bool) -> DoctorRow:
    place = cache.home
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    needed = 2 * 10**9 if built else 10 * 10**9
    what = "base models and runs" if built else "the engine's environment"
    meaning = f"{needed / 1e9:.0f} GB are wanted for {what}; KOHYA_WRAP_HOME can point elsewhere"
    return DoctorRow("Disk", f"{free / 1e9:.0f} GB free in {place}", meaning, free >= needed)


def _git(status: EngineStatus) -> DoctorRow:
    program = shutil.which("git")
    if program is None:
        fetched = status.commit != UNKNOWN_COMMIT
        meaning = "not needed any more" if fetched else "sd-scripts cannot be fetched; install git"
        return DoctorRow("git", "not installed", meaning, fetched)
    said = subprocess.run((program, "--version"), capture_output=True, text=True, check=False, timeout=30).stdout
    return DoctorRow("git", said.strip() or program, "fetches sd-scripts", ok=True)


def _gpu(driver: Driver) -> DoctorRow:
    if not driver.gpus:
        found = driver.problem or f"driver {driver.version}, no GPU visible (CUDA_VISIBLE_DEVICES?)"
        meaning = "training runs on the CPU: the demo in a minute, a real LoRA in hours to days"
        return DoctorRow("GPU", found, meaning, ok=False)
    found = ", ".join(f"{gpu.name} ({gpu.memory / 1e9:.0f} GB)" for gpu in driver.gpus)
    notes = ["bf16 can be used" if all(gpu.has_bf16 for gpu in driver.gpus) else "fp16 only, no bf16"]
    ok = all(gpu.memory >= ENOUGH_MEMORY for gpu in driver.gpus)
    if not ok:
        notes.append("little memory: set steps.train_batch_size = 1 and engine.gradient_checkpointing = true")
    return DoctorRow("GPU", f"{found}, driver {driver.version}", "; ".join(notes), ok)


def _checkout(status: EngineStatus) -> DoctorRow:
    for problem in status.missing:
        if problem.where.startswith("engine.sd_scripts_dir"):
            return DoctorRow("sd-scripts", problem.what, problem.todo, ok=False)
        if "sd-scripts" in problem.what:
            return DoctorRow("sd-scripts", "not there", f"the demo runs without it; for all else {SETUP}", ok=False)
    found = f"{status.commit[:12]} in {status.script.parent}"
    return DoctorRow("sd-scripts", found, "trains the real base models", ok=True)


def _environment(installation: Installation, probe: Probe | None, trouble: str) -> DoctorRow:
    name, place = "Environment", str(installation.python)
    if installation.missing:
        first = installation.missing[0]
        return DoctorRow(name, first.what, first.todo or SETUP, ok=False)
    if trouble:
        return DoctorRow(name, place, trouble, ok=False)
    if probe is None:
        return DoctorRow(name, place, f"not tried on this machine yet; {SETUP}, or doctor --deep", ok=False)
    return DoctorRow(name, f"{place} (Python {probe.python})", "starts and answers", ok=True)


def _packages(probe: Probe | None, driver: Driver) -> Iterator[DoctorRow]:
    if probe is None:
        return
    torch = probe.versions.get("torch", "")
    yield _torch(torch, probe, driver)
    without = {
        "xformers": "engine.attention becomes sdpa, torch's own, at about the same speed",
        "bitsandbytes": "8-bit optimizers are replaced by their plain forms, which take some more memory",
    }
    for name, meaning in without.items():
        version = probe.versions.get(name, "")
        works = bool(getattr(probe, name))
        error = probe.errors.get(name, "")
        found = version or "not installed"
        if works:
            yield DoctorRow(name, found, "works on the GPU", ok=True)
        else:
            why = error or ("there is no CUDA" if version else "")
            yield DoctorRow(name, found, f"{why}: {meaning}" if why else meaning, ok=not driver.gpus)


def _torch(version: str, probe: Probe, driver: Driver) -> DoctorRow:
    found = f"{version or 'not there'}{f' for CUDA {probe.cuda_version}' if probe.cuda_version else ', without CUDA'}"
    if "torch" in probe.errors or not version:
        return DoctorRow("torch", found, probe.errors.get("torch", "nothing can be trained without it"), ok=False)
    if probe.cuda:
        return DoctorRow("torch", found, f"sees {', '.join(probe.gpus)}", ok=True)
    if driver.gpus:
        meaning = f"does not see the GPU: driver {driver.version} is too old for it, or this torch has no CUDA"
        return DoctorRow("torch", found, meaning, ok=False)
    return DoctorRow("torch", found, "computes on the CPU", ok=True)
