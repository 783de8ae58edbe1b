"""From what the engine left in a run's folder to NAME-01 … NAME-10 in the project's output folder.

The engine names epochs NAME-000001 and the last one NAME; the tutorial names them NAME-01 … NAME-10, the last one
included. The engine's own names stay as they are in the run's folder; a finished LoRA is linked (or copied) under the
tutorial's name, and never over a file of an earlier run.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.errors import BadResultError
from kohya_wrap.files import copy_whole, output_error
from kohya_wrap.results.lora_file import LoraFile, hashes, not_finite, read_lora


@dataclass(frozen=True, slots=True)
class Lora:
    """A finished LoRA. `steps`: ss_steps of its metadata; hashes in hex; size in bytes."""

    path: Path
    epoch: int
    steps: int
    size: int
    sha256: str
    tensors_sha256: str


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that the engine wrote, and the epoch it belongs to."""

    path: Path
    epoch: int


def staged_loras(staging: Path, name: str, *, last_epoch: int) -> tuple[Staged, ...]:
    """List the LoRAs in a run's folder by epoch; the file without a number is the last epoch."""
    pattern = re.compile(rf"{re.escape(name)}(?:-(\d+))?\.safetensors")
    found = []
    for file in staging.glob("*.safetensors") if staging.is_dir() else ():
        if match := pattern.fullmatch(file.name):
            found.append(Staged(file, int(match.group(1)) if match.group(1) else last_epoch))
    return tuple(sorted(found, key=lambda staged: staged.epoch))


def check_staged(staged: Staged, *, steps: int | None = None) -> LoraFile:
    """Open a LoRA and check that it is whole, trained, finite, and of `steps` steps if given. Raises BadResultError."""
    lora = read_lora(staged.path)
    where = str(staged.path)
    if not lora.tensors:
        raise BadResultError("the LoRA holds no tensors", where=where, todo="look at the end of the run's log")
    if lora.steps < 1:
        raise BadResultError("the LoRA was saved before any step", where=where, todo="raise steps.how_many")
    if steps is not None and lora.steps != steps:
        raise BadResultError(
            f"the LoRA says {lora.steps} steps, the plan {steps}", where=where, todo="look at the run's log"
        )
    if bad := not_finite(lora):
        raise BadResultError(
            f"{len(bad)} of {len(lora.tensors)} tensors hold nan or inf (first: {bad[0]})",
            where=where,
            todo="lower learning.unet_lr, or train with engine.mixed_precision = 'no' or 'bf16'",
        )
    return lora


def publish(loras: Sequence[tuple[Staged, LoraFile]], output: Path, *, name: str, run_id: str) -> tuple[Lora, ...]:
    """Put checked LoRAs into `output` as NAME-EE.safetensors, or into output/RUN_ID if one of the names is taken.

    Raises OutputError or DiskFullError. Nothing that is there already is replaced.
    """
    names = {staged.epoch: f"{name}-{staged.epoch:02d}.safetensors" for staged, _ in loras}
    folder = output / run_id if any((output / file).exists() for file in names.values()) else output
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, folder) from error
    return tuple(_publish_one(staged, lora, folder / names[staged.epoch]) for staged, lora in loras)


def _publish_one(staged: Staged, lora: LoraFile, target: Path) -> Lora:
    whole, tensors = hashes(lora)
    try:
        os.link(staged.path, target)
    except FileExistsError as error:
        raise output_error(error, target) from error
    except OSError:  # a file system without hard links
        copy_whole(staged.path, target)
    return Lora(target, staged.epoch, lora.steps, target.stat().st_size, whole, tensors)
