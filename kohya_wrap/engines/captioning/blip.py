"""Captions by BLIP, in one process of the engine's environment. Source: the Dataset Maker's "Tag your images"."""

import json
import os
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kohya_wrap.dataset.captioning import BlipOptions, OnCaption
from kohya_wrap.engines.command import fixed_environment, without_network
from kohya_wrap.engines.hardware import usable_cpus
from kohya_wrap.errors import DatasetError
from kohya_wrap.files import write_whole
from kohya_wrap.launch import LaunchPlan, OutputLine
from kohya_wrap.launch.environment import clean_environment
from kohya_wrap.launch.process import run_process

SCRIPT = Path(__file__).with_name("caption_blip.py")
MARK = "@caption "


@dataclass(frozen=True, slots=True)
class BlipCaptioner:
    """Captions with a BLIP model; satisfies dataset.captioning.Captioner.

    `python`: of the engine's environment. `name`: of the model, for messages. `files`: those of its folder by name,
    which may lie apart. `use_cpu`: else the first GPU, where there is one.
    """

    python: Path
    name: str
    files: Mapping[str, Path]
    use_cpu: bool = False

    def __call__(self, pictures: Sequence[Path], options: BlipOptions, *, on_caption: OnCaption) -> str:
        """Tell `on_caption` of each picture in order; give the name of the device that ran.

        Raises DatasetError where the model is none, or the process dies. Ctrl-C stops the process.
        """
        with tempfile.TemporaryDirectory(prefix="kohya-wrap-") as work:
            folder = Path(work)
            model = folder / "model"
            model.mkdir()
            for name, path in self.files.items():
                (model / name).symlink_to(path.absolute())
            job = {**asdict(options), "model": str(model), "use_cpu": self.use_cpu}
            job["pictures"] = [str(path.absolute()) for path in pictures]
            write_whole(folder / "job.json", json.dumps(job))
            hearing = _Hearing(self.name, pictures, on_caption)
            outcome = run_process(self._plan(folder), on_line=hearing.hear, log=folder / "log")
        return hearing.end(outcome.returncode)

    def _plan(self, folder: Path) -> LaunchPlan:
        own = {**fixed_environment(usable_cpus()), **({"CUDA_VISIBLE_DEVICES": ""} if self.use_cpu else {})}
        plan = LaunchPlan(
            argv=(str(self.python.absolute()), str(SCRIPT), str(folder / "job.json")),
            env=clean_environment(os.environ, add=own),
            cwd=folder,
        )
        return without_network(plan)


class _Hearing:
    """Hears the lines of the process."""

    def __init__(self, name: str, pictures: Sequence[Path], on_caption: OnCaption) -> None:
        self._name = name
        self._pictures = pictures
        self._on_caption = on_caption
        self._told = 0
        self._device = ""
        self._refused = ""
        self._last_words: deque[str] = deque(maxlen=5)

    def hear(self, line: OutputLine) -> None:
        """Take one line; what does not begin with the mark is kept for the case that the process dies."""
        if not line.text.startswith(MARK):
            if line.text.strip() and not line.transient:
                self._last_words.append(line.text.strip())
            return
        match json.loads(line.text.removeprefix(MARK)):
            case {"device": str(device)}:
                self._device = device
            case {"refused": str(why)}:
                self._refused = why
            case {"picture": int(number), "caption": str(caption)}:
                self._told += 1
                self._on_caption(self._pictures[number], caption, "")
            case {"picture": int(number), "unreadable": str(why)}:
                self._told += 1
                self._on_caption(self._pictures[number], "", why)

    def end(self, returncode: int) -> str:
        """Give the device. Raises DatasetError unless every picture was told of."""
        if self._refused:
            todo = "give a BLIP captioning model in the format of transformers"
            raise DatasetError(f"is no model that captions: {self._refused}", where=self._name, todo=todo)
        if returncode or self._told < len(self._pictures):
            words = self._last_words[-1] if self._last_words else "it said nothing"
            what = f"captioning ended with code {returncode} after {self._told} of {len(self._pictures)} pictures"
            raise DatasetError(f"{what}: {words}", where=self._name, todo="run it again: what is written stays")
        return self._device
