"""Facts about the embedded engine, found once per session by a process in the engine's environment."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from kohya_wrap.engines.embedded_engine import FOLDER

SCRIPT = Path(__file__).parent / "embedded_scripts" / "run_checks.py"
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONHASHSEED": "0"}
"""One thread: on a busy machine several wait for each other."""


class Facts:
    """What each check found; asking for one that raised fails with its traceback."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._found = found

    def __getitem__(self, name: str) -> Any:
        found = self._found[f"check_{name}"]
        assert not (isinstance(found, dict) and set(found) == {"raised"}), found["raised"]
        return found


@cache
def find_facts(python: Path) -> Facts:
    """Run all checks in the engine's python, 20 s on two free cores."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "facts.json"
        completed = subprocess.run(
            [str(python), str(SCRIPT), str(FOLDER), folder, str(result)],
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
            check=False,
        )
        assert completed.returncode == 0, completed.stdout[-2000:] + completed.stderr[-4000:]
        return Facts(json.loads(result.read_text(encoding="utf-8")))
