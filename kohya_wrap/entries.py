"""Entries of run.json that need what later rooms know: hashes of the base model, LoRAs, losses."""

from collections.abc import Sequence

from kohya_wrap import base_models
from kohya_wrap.dataset import FileHash
from kohya_wrap.planning import Plan
from kohya_wrap.record.model import BaseModelEntry, FileEntry, LoraEntry, LossEntry
from kohya_wrap.results.losses import StepLoss, finite_losses, mean_of
from kohya_wrap.results.publish import Lora
from kohya_wrap.sd_scripts.job import TrainingJob


def complete_base(entry: BaseModelEntry, job: TrainingJob, planned: Plan) -> BaseModelEntry:
    """Add the SHA256 of a base model that is a file, or those of a folder's files, and what brings it back."""
    sha256, files = _hash_base(job, planned)
    pinned = base_models.pinned_link(job.base_model.path, planned.cache)
    return entry.model_copy(update={"sha256": sha256, "files": files, "pinned": pinned})


def _hash_base(job: TrainingJob, planned: Plan) -> tuple[str, tuple[FileEntry, ...]]:
    """Hash what is not known yet; it is remembered for the next run."""
    store = base_models.Store(planned.cache)
    base = job.base_model
    if base.format != "diffusers":
        return base.sha256 or store.remembered_sha256(base.path), ()
    files = sorted(file for file in base.path.rglob("*") if file.is_file())
    entries = tuple(
        FileEntry(
            path=file.relative_to(base.path).as_posix(),
            sha256=store.remembered_sha256(file),
            size=file.stat().st_size,
        )
        for file in files
    )
    return "", entries


def file_entry(entry: FileHash) -> FileEntry:
    """Describe a file that goes in."""
    return FileEntry(path=str(entry.path), sha256=entry.sha256, size=entry.size)


def lora_entry(lora: Lora) -> LoraEntry:
    """Describe a LoRA that came out."""
    return LoraEntry(
        path=str(lora.path),
        epoch=lora.epoch,
        steps=lora.steps,
        size=lora.size,
        sha256=lora.sha256,
        tensors_sha256=lora.tensors_sha256,
    )


def loss_entry(losses: Sequence[StepLoss], job: TrainingJob) -> LossEntry:
    """Sum up the losses of a run."""
    numbers = finite_losses(losses)
    if not numbers:
        return LossEntry()
    return LossEntry(
        path=str(job.run.losses),
        steps=len(losses),
        first=numbers[0],
        last=numbers[-1],
        mean=mean_of(numbers),
        minimum=min(numbers),
    )
