"""What tests of several rooms need: the engine's environment, the checkout, and the project's shared material."""

from pathlib import Path

import pytest

from kohya_wrap.engines.checkout import checkout_folder, read_pin
from kohya_wrap.engines.checkout import is_ready as checkout_is_ready
from kohya_wrap.engines.environment import engine_spec, environment_python
from kohya_wrap.engines.environment import is_ready as environment_is_ready
from kohya_wrap.errors import EngineError
from kohya_wrap.paths import CachePaths

ROOT = Path(__file__).resolve().parent.parent
NEEDS = {"engine": ("engine_python",), "sd_scripts": ("engine_python", "sd_scripts_checkout")}
"""Marker -> fixtures that skip with a reason where what it stands for is missing."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the markers ask for their fixtures, first of all, so that a test need not."""
    for item in items:
        if isinstance(item, pytest.Function):
            needed = dict.fromkeys(name for marker in item.iter_markers() for name in NEEDS.get(marker.name, ()))
            others = [name for name in item.fixturenames if name not in needed]
            item.fixturenames[:] = [*needed, *others]


def _ready_python() -> Path | str:
    """Give the python of the environment that setup builds, or why there is none."""
    try:
        folder = engine_spec().folder(CachePaths.from_environment())
    except EngineError as error:
        return str(error)
    if environment_is_ready(folder):
        return environment_python(folder)
    return f"the engine's environment is not built (make setup); looked in {folder}"


@pytest.fixture(scope="session")
def engine_python() -> Path:
    """Give the python of the engine's environment, or skip."""
    found = _ready_python()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture(scope="session")
def sd_scripts_checkout() -> Path:
    """Give the folder of sd-scripts at its pinned commit, or skip."""
    pin = read_pin()
    folder = checkout_folder(pin, CachePaths.from_environment())
    if not checkout_is_ready(folder, pin):
        pytest.skip(f"sd-scripts {pin.commit[:12]} is not there (make setup); looked in {folder}")
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """Give the folder of material shared by the project's people, or skip."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder.name} folder beside the project")
    return folder
