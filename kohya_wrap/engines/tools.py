"""sd-scripts' own tools for LoRA files, run in the engine's environment."""

import os
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.config import EngineConfig
from kohya_wrap.engines.command import fixed_environment, without_network
from kohya_wrap.engines.engine import EngineStatus, Say
from kohya_wrap.engines.hardware import usable_cpus
from kohya_wrap.engines.sd_scripts_engine import SdScriptsEngine
from kohya_wrap.errors import TrainingError
from kohya_wrap.launch import LaunchPlan, OutputLine
from kohya_wrap.launch.environment import clean_environment
from kohya_wrap.launch.process import run_process
from kohya_wrap.paths import CachePaths

_LAST_WORDS = 5


@dataclass(frozen=True, slots=True)
class Tools:
    """The scripts below networks/ of a checkout that is ready."""

    python: Path
    checkout: Path

    @classmethod
    def ready(cls, cache: CachePaths, say: Say) -> "Tools":
        """Set up sd-scripts where it is not yet. Raises EngineError."""
        engine = SdScriptsEngine(EngineConfig(), cache)
        status: EngineStatus = engine.status()
        if status.missing:
            status = engine.setup(say)
        return cls(status.python, status.script.parent)

    def run(self, script: str, arguments: Sequence[str], *, work: Path) -> None:
        """Run `script` to its end in the folder `work`; Ctrl-C stops it. Raises TrainingError with its last words."""
        words: deque[str] = deque(maxlen=_LAST_WORDS)

        def hear(line: OutputLine) -> None:
            if line.text.strip() and not line.transient:
                words.append(line.text.strip())

        with tempfile.TemporaryDirectory(prefix="kohya-wrap-") as folder:
            outcome = run_process(self._plan(script, arguments, work), on_line=hear, log=Path(folder) / "log")
        if outcome.returncode:
            said = "; ".join(words) or "it said nothing"
            what = f"sd-scripts' {script} ended with code {outcome.returncode}: {said}"
            raise TrainingError(what, todo="look at what it says; kohya-wrap doctor says what is there")

    def _plan(self, script: str, arguments: Sequence[str], work: Path) -> LaunchPlan:
        # The tools import the library beside them by a name of the checkout's top.
        own = {**fixed_environment(usable_cpus()), "PYTHONPATH": str(self.checkout), "PYTHONDONTWRITEBYTECODE": "1"}
        plan = LaunchPlan(
            argv=(str(self.python), str(self.checkout / "networks" / script), *arguments),
            env=clean_environment(os.environ, add=own),
            cwd=work.absolute(),
        )
        return without_network(plan)
