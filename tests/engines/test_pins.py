"""The engine's environment holds what vendor/constraints-engine.txt pins, version by version."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from kohya_wrap.paths import package_data

pytestmark = pytest.mark.engine

ASK = """
import importlib.metadata, json
print(json.dumps({each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}))
"""
TOOLS = {"pip", "setuptools", "wheel"}
"""They come with the environment itself, in the interpreter's version."""


def canonical(name: str) -> str:
    """Give a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    """Read the pinned versions."""
    lines = (package_data("vendor") / "constraints-engine.txt").read_text(encoding="utf-8").splitlines()
    pinned = (line.split(";")[0].split("==") for line in lines if line.strip() and not line.startswith("#"))
    return {canonical(name): version.strip() for name, version in pinned}


@pytest.fixture(scope="module")
def installed(engine_python: Path) -> dict[str, str]:
    """Ask the engine's own python what is installed, without local version labels such as +cu128."""
    done = subprocess.run((str(engine_python), "-I", "-c", ASK), capture_output=True, text=True, check=True)
    found = {canonical(name): version.partition("+")[0] for name, version in json.loads(done.stdout).items()}
    return {name: version for name, version in found.items() if name not in TOOLS}


def test_every_package_has_its_pinned_version(installed: dict[str, str]) -> None:
    """What is installed and pinned is of the very same version."""
    pinned = pins()
    assert {name: version for name, version in installed.items() if version != pinned.get(name, version)} == {}


def test_nothing_is_installed_that_is_not_pinned(installed: dict[str, str]) -> None:
    """A package without a pin could be another tomorrow."""
    assert installed.keys() - pins().keys() == set()


def test_what_is_asked_for_is_installed(installed: dict[str, str]) -> None:
    """Every requirement is there; pins of other platforms need not be."""
    lines = (package_data("vendor") / "requirements-engine.txt").read_text(encoding="utf-8").splitlines()
    asked = {canonical(re.split(r"[=\[;]", line)[0]) for line in lines if line.strip() and not line.startswith("#")}
    assert asked - installed.keys() == set()
