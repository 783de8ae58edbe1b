"""Building environments: real venvs and a real pip, with one small wheel made here in place of 8 GB."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from kohya_wrap.engines.environment import (
    EnvironmentSpec,
    PipReader,
    engine_spec,
    ensure_environment,
    installed_packages,
    is_ready,
)
from kohya_wrap.engines.preflight import Interpreter, require_space
from kohya_wrap.errors import EngineError
from kohya_wrap.launch import OutputLine
from kohya_wrap.paths import CachePaths

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
OFFLINE = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PIP_NO_INDEX": "1"}


def make_spec(folder: Path, requirement: str = "") -> EnvironmentSpec:
    """Ask for one tiny package, by a wheel that is written here."""
    folder.mkdir(exist_ok=True)
    wheel = folder / "tiny_engine-1.5-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_engine.py", "answer = 42\n")
        archive.writestr(
            "tiny_engine-1.5.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-engine\nVersion: 1.5\n"
        )
        archive.writestr(
            "tiny_engine-1.5.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_engine-1.5.dist-info/RECORD", "")
    (folder / "requirements.txt").write_text(requirement or f"tiny-engine @ {wheel.as_uri()}\n")
    (folder / "constraints.txt").write_text("tiny-engine==1.5\n")
    interpreter = Interpreter(Path(sys.executable), VERSION)
    return EnvironmentSpec(folder / "requirements.txt", folder / "constraints.txt", interpreter, space=10**8)


def build(spec: EnvironmentSpec, cache: CachePaths, **environ: str) -> tuple[Path, list[str]]:
    said: list[str] = []
    return ensure_environment(spec, cache, say=said.append, environ={**OFFLINE, **environ}), said


def test_an_environment_is_built_and_found_again(tmp_path: Path) -> None:
    """The python that comes back has the package; a second call does nothing and says nothing."""
    spec, cache = make_spec(tmp_path / "spec"), CachePaths(tmp_path / "cache")
    python, said = build(spec, cache, PIP_TARGET=str(tmp_path / "elsewhere"))
    shown = subprocess.run(
        (python, "-c", "import tiny_engine; print(tiny_engine.answer)"), capture_output=True, check=True
    )
    assert shown.stdout == b"42\n"
    assert said[0].startswith("Building")
    assert installed_packages(spec.folder(cache))["tiny-engine"] == "1.5"
    assert build(spec, cache) == (python, [])


def test_a_killed_setup_is_started_over(tmp_path: Path) -> None:
    """Whatever a killed setup left is not taken for an environment."""
    spec, cache = make_spec(tmp_path / "spec"), CachePaths(tmp_path / "cache")
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); from test_environment import *\n"
        "build(make_spec(Path(sys.argv[2])), CachePaths(Path(sys.argv[3])))"
    )
    folders = (Path(__file__).parent, tmp_path / "spec", tmp_path / "cache")
    setup = subprocess.Popen((sys.executable, "-c", code, *map(str, folders)))
    deadline = time.monotonic() + 30
    while not (spec.folder(cache) / "pyvenv.cfg").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    setup.send_signal(signal.SIGKILL)
    setup.wait()
    assert spec.folder(cache).exists()
    assert not is_ready(spec.folder(cache))
    _, said = build(spec, cache)
    assert "starting over" in said[0]
    assert is_ready(spec.folder(cache))


def test_two_at_once_build_one_environment(tmp_path: Path) -> None:
    """Whoever comes second waits, and finds it ready."""
    spec, cache = make_spec(tmp_path / "spec"), CachePaths(tmp_path / "cache")
    said: list[list[str]] = []
    threads = [threading.Thread(target=lambda: said.append(build(spec, cache)[1])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [line for each in said for line in each]
    assert len([line for line in lines if line.startswith("Building")]) == 1
    assert any("waiting" in line for line in lines)


def test_a_package_that_is_not_to_be_had_is_named(tmp_path: Path) -> None:
    """pip's own first error comes through, with the log and with what to do; nothing counts as ready."""
    spec, cache = make_spec(tmp_path / "spec", "no-such-package-here==1.0\n"), CachePaths(tmp_path / "cache")
    with pytest.raises(
        EngineError, match=r"no-such-package-here.*setup\.log|setup\.log.*no-such-package-here"
    ) as caught:
        build(spec, cache)
    assert "pip config list" in caught.value.todo
    assert not is_ready(spec.folder(cache))


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A cache on a read-only disk is said to be one, with the variable that moves it."""
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(EngineError, match="KOHYA_WRAP_HOME"):
        build(make_spec(tmp_path / "spec"), CachePaths(tmp_path / "cache"))


def test_the_key_follows_what_is_asked_for(tmp_path: Path) -> None:
    """Another list or another Python is another environment; the same lists elsewhere are the same one."""
    spec = make_spec(tmp_path / "one")
    other_python = EnvironmentSpec(spec.requirements, spec.constraints, Interpreter(Path("python"), "3.99"))
    spec_key = spec.key
    assert other_python.key != spec_key
    spec.constraints.write_text("tiny-engine==1.6\n")
    assert spec.key != spec_key
    spec.constraints.write_text("tiny-engine==1.5\n")
    assert spec.key == spec_key


def test_too_little_disk_is_said_before_anything_is_made(tmp_path: Path) -> None:
    """The message has both numbers: what is needed and what is there."""
    with pytest.raises(EngineError, match=r"needs 1000000000 GB of free disk, and [\d.]+ GB are free"):
        require_space(tmp_path / "not" / "there", 10**18)
    assert not (tmp_path / "not").exists()


def test_every_requirement_is_pinned_and_constrained() -> None:
    """Nothing in the engine's environment is left to the day it is built."""
    spec = engine_spec()
    constrained = {
        line.partition("==")[0].lower().replace("_", "-"): line.partition("==")[2]
        for line in spec.constraints.read_text().splitlines()
        if line and not line.startswith("#")
    }
    for line in spec.requirements.read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition(";")[0].strip().partition("==")
            assert constrained[name.partition("[")[0].lower().replace("_", "-")] == version


@pytest.mark.engine
def test_the_real_environment_is_what_is_pinned(engine_python: Path) -> None:
    """What setup built holds exactly the versions of the constraints."""
    folder = engine_python.parent.parent
    found = installed_packages(folder)
    for line in engine_spec().constraints.read_text().splitlines():
        name, equals, version = line.partition("==")
        if equals:
            assert found[name.lower().replace("_", "-")] == version
    assert json.loads((folder / "ready.json").read_text())["key"] == folder.name


def test_pip_s_output_becomes_a_few_sentences() -> None:
    """Large downloads, the installing, and the first error are told; the other hundred lines are in the log."""
    said: list[str] = []
    reader = PipReader(said.append)
    for text in (
        "Collecting torch==2.10.0 (from -r requirements.txt (line 4))",
        "  Downloading torch-2.10.0-cp311-cp311-manylinux_2_28_x86_64.whl (915.5 MB)",
        "  Using cached nvidia_cudnn_cu12-9.10.2.21-py3-none-manylinux_2_27_x86_64.whl (706.8 MB)",
        "  Downloading rich-14.1.0-py3-none-any.whl (243 kB)",
        "  Downloading tiny-1.0-py3-none-any.whl (1.5 MB)",
        "Installing collected packages: torch, rich, tiny",
        "ERROR: the cause",
        "ERROR: what follows from it",
    ):
        reader.line(OutputLine("stdout", text, 0.0))
    assert said == [
        "Fetching torch 2.10.0 (915.5 MB)",
        "Fetching nvidia_cudnn_cu12 9.10.2.21 (706.8 MB)",
        "Installing 3 packages",
    ]
    assert reader.error == "the cause"
