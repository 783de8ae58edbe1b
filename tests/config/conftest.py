"""The engine's python, for the tests that hold our tables against the real classes."""

import os
from pathlib import Path

import pytest

from kohya_wrap.paths import CachePaths


@pytest.fixture
def engine_python() -> str:
    """Give the python of the engine's environment: KOHYA_WRAP_TEST_ENGINE_PYTHON, else one that setup built."""
    if given := os.environ.get("KOHYA_WRAP_TEST_ENGINE_PYTHON"):
        return given
    places = CachePaths.from_environment().environments
    found = [path for path in sorted(places.glob("*/bin/python")) if not Path(path).parent.parent.name.startswith(".")]
    if not found:
        pytest.skip("the engine's environment is not built (make setup)")
    return str(found[-1])
