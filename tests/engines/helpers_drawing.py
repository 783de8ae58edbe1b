"""Facts about the drawing scripts, found once per session by a process in the engine's environment."""

import json
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from helpers_embedded import ENVIRONMENT, Facts

from kohya_wrap.engines.drawing.diffusers_drawer import SCRIPT
from kohya_wrap.engines.embedded_engine import FOLDER

CHECKS = Path(__file__).parent / "drawing_scripts" / "run_checks.py"


@cache
def find_drawing_facts(python: Path) -> Facts:
    """Run all checks in the engine's python, 13 s on a free core."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "facts.json"
        completed = subprocess.run(
            [str(python), str(CHECKS), str(SCRIPT.parent), str(FOLDER), folder, str(result)],
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
            check=False,
        )
        assert completed.returncode == 0, completed.stdout[-2000:] + completed.stderr[-4000:]
        return Facts(json.loads(result.read_text(encoding="utf-8")))
