"""Training states that the engine saved, from which a run can go on; a half-written one is never taken for whole."""

import json
import re
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.errors import BadResultError
from kohya_wrap.files import settle
from kohya_wrap.results.lora_file import only_zeros, read_lora

_TORCH_FILES = ("optimizer.bin", "scheduler.bin", "random_states_0.pkl")
"""What accelerate writes with torch.save, which makes ZIP files; the last of them last. Source: accelerate 1.6."""
_WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True)
class TrainingState:
    """A state folder, and the steps that were done when it was saved, those of earlier parts of the run included."""

    path: Path
    steps: int


def find_states(staging: Path, name: str, *, steps_per_epoch: int, uncounted: int = 0) -> tuple[TrainingState, ...]:
    """List the whole states in a run's folder, oldest first: NAME-EEEEEE-state and NAME-stepSSSSSSSS-state.

    `uncounted`: steps that are missing in the engine's own numbers, as the run itself went on from a state.
    """
    pattern = re.compile(rf"{re.escape(name)}-(?:(?P<epoch>\d{{6,}})|step(?P<step>\d{{8,}}))-state")
    found = []
    for path in staging.iterdir() if staging.is_dir() else ():
        if (match := pattern.fullmatch(path.name)) and is_whole(path):
            epoch, step = match["epoch"], match["step"]
            steps = int(epoch) * steps_per_epoch if epoch else int(step) + uncounted
            found.append(TrainingState(path, steps))
    return tuple(sorted(found, key=lambda state: (state.steps, state.path)))


def is_whole(state: Path) -> bool:
    """Whether every file of a state is there and can be read to its end, by its own checksums where it has them.

    The weights have none: a tensor of zeros alone is what is left of one whose bytes never reached the disk.
    """
    try:
        json.loads((state / "train_state.json").read_text(encoding="utf-8"))
        if only_zeros(read_lora(state / _WEIGHTS)):
            return False
        return all(_is_whole_zip(state / name) for name in _TORCH_FILES)
    except (OSError, ValueError, BadResultError):
        return False


def settle_state(state: Path) -> None:
    """Have a state outlive a loss of power, as far as it is there: sd-scripts leaves that to the system."""
    with suppress(OSError):
        for path in (*state.rglob("*"), state, state.parent):
            settle(path)


def _is_whole_zip(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as opened:
            return opened.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        return False
