"""Drawing with diffusers in the engine's environment: one process, which loads the model once for all pictures."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from kohya_wrap.engines.command import fixed_environment, without_network
from kohya_wrap.engines.drawing.answers import Answers
from kohya_wrap.engines.drawing.checks import picture_problems
from kohya_wrap.engines.drawing.types import OnDrawn, Picture
from kohya_wrap.engines.hardware import usable_cpus
from kohya_wrap.errors import DrawingError, Problem
from kohya_wrap.files import output_error, write_whole
from kohya_wrap.launch import LaunchPlan
from kohya_wrap.launch.environment import clean_environment
from kohya_wrap.launch.process import run_process

SCRIPT = Path(__file__).with_name("scripts") / "draw.py"


@dataclass(frozen=True, slots=True)
class DiffusersDrawer:
    """Draws with diffusers; satisfies Drawer.

    `python`: of the engine's environment. `base`: a diffusers folder, or a .safetensors, which needs `tokenizers`, the
    folder of base_models.tokenizers. `folder`: where the job and the log are kept; made where it is missing. `vae`: a
    file or diffusers folder instead of the base's own. `embeddings`: textual inversions by the name that prompts use.
    `v_prediction`: None goes by the base. `zero_terminal_snr`: pictures begin with noise alone, else as the base says.
    `use_cpu`: else the first GPU of `gpu_ids`, where there is one. `precision`: empty is fp16 on a GPU and fp32 on the
    CPU; SDXL's VAE is always in fp32. `num_cpu_threads`: 0 is all that may be used.
    """

    python: Path
    base: Path
    folder: Path
    vae: Path | None = None
    embeddings: Mapping[str, Path] = field(default_factory=dict)
    tokenizers: Path | None = None
    v_prediction: bool | None = None
    zero_terminal_snr: bool = False
    use_cpu: bool = False
    gpu_ids: str = ""
    precision: Literal["", "fp16", "fp32"] = ""
    num_cpu_threads: int = 0

    def draw(self, pictures: Sequence[Picture], *, on_drawn: OnDrawn) -> None:
        """Draw all of them, in this order, each whole at its target or not at all; the model is loaded once.

        Raises DrawingError, and EngineError where `python` cannot be started; what was drawn stays. Ctrl-C stops the
        process. Its log is `folder`/drawing.log.
        """
        if not pictures:
            return
        problems = (*self._problems(), *picture_problems(pictures))
        if problems:
            raise DrawingError.of(problems, what="the pictures cannot be drawn")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(error, self.folder) from error
        job, log = (self.folder / name for name in ("drawing.json", "drawing.log"))
        write_whole(job, json.dumps(self._job(pictures), indent=1, ensure_ascii=False))
        answers = Answers(pictures, on_drawn, log)
        outcome = run_process(self._plan(job), on_line=answers.hear, log=log)
        answers.end(outcome.returncode)

    def _problems(self) -> list[Problem]:
        wanted = [self.base, *(path for path in (self.vae, self.tokenizers) if path), *self.embeddings.values()]
        return [Problem(str(path), "is not there") for path in wanted if not path.exists()]

    def _job(self, pictures: Sequence[Picture]) -> dict[str, object]:
        return {
            "base": _plain(self.base),
            "vae": _plain(self.vae),
            "tokenizers": _plain(self.tokenizers),
            "embeddings": _plain(dict(self.embeddings)),
            "v_prediction": self.v_prediction,
            "zero_terminal_snr": self.zero_terminal_snr,
            "precision": self.precision,
            "device": "cpu" if self.use_cpu else "auto",
            "pictures": [_plain(asdict(picture)) for picture in pictures],
        }

    def _plan(self, job: Path) -> LaunchPlan:
        devices = {"CUDA_VISIBLE_DEVICES": ""} if self.use_cpu else {}
        if self.gpu_ids and not self.use_cpu:
            devices = {"CUDA_VISIBLE_DEVICES": self.gpu_ids.split(",")[0].strip(), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        threads = fixed_environment(self.num_cpu_threads or usable_cpus())
        plan = LaunchPlan(
            argv=(str(self.python.absolute()), str(SCRIPT), str(job.absolute())),
            env=clean_environment(os.environ, add={**threads, **devices}),
            cwd=self.folder.absolute(),
        )
        return without_network(plan)


def _plain(value: object) -> object:
    """Give the same with absolute paths as text, for JSON."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value.absolute()) if isinstance(value, Path) else value
