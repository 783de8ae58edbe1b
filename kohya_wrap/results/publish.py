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
from kohya_wrap.files import copy_whole, output_error, settle, sha256_file
from kohya_wrap.results.lora_file import LoraFile, hashes, not_finite, only_zeros, read_lora, write_with_metadata


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
    """A file that the engine wrote, the epoch it belongs to, and the steps that the engine did not count."""

    path: Path
    epoch: int
    uncounted: int = 0


def staged_loras(staging: Path, name: str, *, last_epoch: int, uncounted: int = 0) -> tuple[Staged, ...]:
    """List the LoRAs in a run's folder by epoch; the file without a number is the last epoch.

    In a run that goes on, the engine did not count the steps of the epochs before: a file that says fewer than it
    should is written again with the right number.
    """
    pattern = re.compile(rf"{re.escape(name)}(?:-(\d+))?\.safetensors")
    found = []
    for file in staging.glob("*.safetensors") if staging.is_dir() else ():
        if match := pattern.fullmatch(file.name):
            found.append(Staged(file, int(match.group(1)) if match.group(1) else last_epoch, uncounted))
    return tuple(sorted(found, key=lambda staged: staged.epoch))


def check_staged(staged: Staged, *, steps: int | None = None) -> LoraFile:
    """Open a LoRA and check that it is whole, trained, finite, and of `steps` steps if given. Raises BadResultError."""
    lora = read_lora(staged.path)
    where = str(staged.path)
    if not lora.tensors:
        raise BadResultError("the LoRA holds no tensors", where=where, todo="look at the end of the run's log")
    if lora.steps < 1:
        raise BadResultError("the LoRA was saved before any step", where=where, todo="raise steps.how_many")
    done = lora.steps + staged.uncounted
    if steps is not None and done != steps:
        raise BadResultError(f"the LoRA says {done} steps, the plan {steps}", where=where, todo="look at the run's log")
    if bad := not_finite(lora):
        raise BadResultError(
            f"{len(bad)} of {len(lora.tensors)} tensors hold nan or inf (first: {bad[0]})",
            where=where,
            todo="lower learning.unet_lr, or train with engine.mixed_precision = 'no' or 'bf16'",
        )
    if blank := only_zeros(lora):
        what = f"{len(blank)} of {len(lora.tensors)} tensors hold nothing but zeros (first: {blank[0]})"
        raise BadResultError(what, where=where, todo="power was lost, or the disk is broken: train again")
    return lora


def publish(loras: Sequence[tuple[Staged, LoraFile]], output: Path, *, name: str, run_id: str) -> tuple[Lora, ...]:
    """Put checked LoRAs into `output` as NAME-EE.safetensors, or into output/RUN_ID if another file has such a name.

    Raises OutputError or DiskFullError. Nothing that is there already is replaced; the very same file stays.
    """
    ready = [_Ready.of(staged, lora, f"{name}-{staged.epoch:02d}.safetensors") for staged, lora in loras]
    folder = output / run_id if any(each.is_taken(output) for each in ready) else output
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, folder) from error
    return tuple(each.publish(folder) for each in ready)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A checked LoRA with its hashes and the name it will have."""

    epoch: int
    file: LoraFile
    name: str
    sha256: str
    tensors_sha256: str

    @classmethod
    def of(cls, staged: Staged, lora: LoraFile, name: str) -> "_Ready":
        counted = _counted(staged, lora)
        return cls(staged.epoch, counted, name, *hashes(counted))

    def is_taken(self, folder: Path) -> bool:
        """Whether another file has the name; a run that goes on finds the same ones from before."""
        target = folder / self.name
        return target.exists() and not (target.is_file() and sha256_file(target) == self.sha256)

    def publish(self, folder: Path) -> Lora:
        target = folder / self.name
        try:
            settle(self.file.path)  # sd-scripts leaves it to the system when its bytes reach the disk
            if not target.exists():
                os.link(self.file.path, target)
        except FileExistsError as error:
            raise output_error(error, target) from error
        except OSError:  # a file system without hard links
            copy_whole(self.file.path, target)
        return Lora(target, self.epoch, self.file.steps, target.stat().st_size, self.sha256, self.tensors_sha256)


def _counted(staged: Staged, lora: LoraFile) -> LoraFile:
    """Give the LoRA with all steps that led to it in its metadata; the engine's own file stays beside it."""
    if not staged.uncounted:
        return lora
    place = staged.path.parent / "counted"
    target = place / staged.path.name
    try:
        place.mkdir(exist_ok=True)
        return write_with_metadata(lora, target, {"ss_steps": str(lora.steps + staged.uncounted)})
    except OSError as error:
        raise output_error(error, target) from error
