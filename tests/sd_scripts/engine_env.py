"""Where the sd-scripts checkout and the engine's python are, for the tests that need them."""

import os
from pathlib import Path

import pytest

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def checkout() -> Path:
    """Give the checkout, or skip. KOHYA_WRAP_TEST_SD_SCRIPTS names another one than vendor/sd-scripts."""
    folder = Path(os.environ.get("KOHYA_WRAP_TEST_SD_SCRIPTS") or PROJECT_ROOT / "vendor" / "sd-scripts")
    if not (folder / "train_network.py").is_file():
        pytest.skip("the sd-scripts checkout is not there: make setup")
    return folder


def python() -> Path:
    """Give the engine's python, or skip. KOHYA_WRAP_TEST_ENGINE_PYTHON names it."""
    given = os.environ.get("KOHYA_WRAP_TEST_ENGINE_PYTHON", "")
    if not given or not Path(given).is_file():
        pytest.skip("the engine's environment is not there: make setup, then set KOHYA_WRAP_TEST_ENGINE_PYTHON")
    return Path(given)
