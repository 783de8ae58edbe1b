"""Trains a LoRA on any diffusers-format base model: sd-scripts' command line, files and log, at a demo's size.

Run under accelerate with --config_file and --dataset_config. It exists so that the main job can be shown and tested
anywhere; what it does not honour it refuses. Exit code 1 where it refuses or finds no data.
"""

import argparse
import math
import random
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from data import Dataset, epoch_batches
from lines import log, log_buckets, log_dataset, log_summary
from saving import DTYPES, job_metadata, save_lora
from scalars import MovingLoss, open_writer, write_scalars
from settings import RefusedError, Settings, read_settings
from state import load_state, save_state
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm
from training import Training, prepare


@dataclass(frozen=True)
class Length:
    """How long a training is."""

    batches: int
    epochs: int
    steps: int


def main() -> int:
    """Run the command line and give its exit code."""
    parser = argparse.ArgumentParser(description="Train a LoRA at a demo's size.")
    parser.add_argument("--config_file", type=Path, required=True)
    parser.add_argument("--dataset_config", type=Path, required=True)
    arguments = parser.parse_args()
    log(f"Loading settings from {arguments.config_file}...")
    try:
        settings = read_settings(arguments.config_file, arguments.dataset_config)
        log(f"Loading dataset config from {arguments.dataset_config}")
        return _run(settings)
    except RefusedError as refused:
        for line in str(refused).splitlines():
            log(f"RefusedError: {line}")
        return 1


def _run(settings: Settings) -> int:
    _seed(settings.seed)
    datasets = load_datasets(settings)
    if not any(dataset.batches_per_epoch() for dataset in datasets):
        log("Error: No data found. Please verify the folders in the dataset config.")
        return 1
    train(settings, datasets)
    return 0


def _seed(seed: int) -> None:
    random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(mode=not torch.cuda.is_available())


def load_datasets(settings: Settings) -> list[Dataset]:
    """Find the pictures and put them into buckets, saying so as sd-scripts does."""
    log("prepare images.")
    datasets = [Dataset(each) for each in settings.datasets]
    log(f"{sum(dataset.num_train_images for dataset in datasets)} train images with repeats.")
    log("0 reg images with repeats.")
    for number, dataset in enumerate(datasets):
        log_dataset(number, dataset)
    for number, dataset in enumerate(datasets):
        log_buckets(number, dataset)
    return datasets


def length_of(settings: Settings, datasets: Sequence[Dataset]) -> Length:
    """Count batches, epochs and steps; epochs win over steps."""
    batches = sum(dataset.batches_per_epoch() for dataset in datasets)
    epochs = settings.get("max_train_epochs")
    steps = settings.get("max_train_steps", 1600)
    if epochs is not None:
        steps = epochs * batches
        log(f"override steps. steps for {epochs} epochs is: {steps}")
    return Length(batches, math.ceil(steps / batches), steps)


def train(settings: Settings, datasets: Sequence[Dataset]) -> None:
    """Train from the first step to the last saved file."""
    started = time.time()
    length = length_of(settings, datasets)
    training = prepare(settings, datasets, steps=length.steps)
    if settings.get("resume"):
        load_state(Path(settings.get("resume")), training)
    log_summary(datasets, batches=length.batches, epochs=length.epochs, steps=length.steps)
    metadata = job_metadata(settings, datasets, started=started, **vars(length))
    writer = open_writer(settings)
    loop(training, datasets, length, metadata, writer)
    if writer:
        writer.close()
    log("model saved.")


def loop(
    training: Training,
    datasets: Sequence[Dataset],
    length: Length,
    metadata: dict[str, str],
    writer: SummaryWriter | None,
) -> None:
    """Go through the epochs, saving as asked. After a resume steps are counted from 0 again, as sd-scripts does."""
    settings, done, average = training.settings, 0, MovingLoss()
    first = settings.get("initial_epoch", 1)
    left = length.steps - (first - 1) * length.batches
    bar = tqdm(total=length.steps, desc="steps", smoothing=0)
    for epoch in range(first, length.epochs + 1):
        log(f"\nepoch {epoch}/{length.epochs}\n")
        for place, batch in enumerate(epoch_batches(datasets, seed=settings.seed, epoch=epoch)):
            loss = training.step(batch)
            done += 1
            mean = average.add(place, loss)
            bar.update(1)
            bar.set_postfix(avr_loss=mean)
            write_scalars(writer, training, done, {"loss/current": loss, "loss/average": mean})
            if done >= left:
                break
        if writer:
            writer.add_scalar("loss/epoch_average", mean, epoch)
        every = settings.get("save_every_n_epochs")
        if every and epoch % every == 0 and epoch < length.epochs:
            save(training, metadata, steps=done, epoch=epoch, name=_epoch_name(settings, epoch))
            _remove_old(settings, epoch, every)
            _keep_state(training, epoch, done, every)
    bar.close()
    save(training, metadata, steps=done, epoch=length.epochs, name=f"{settings.get('output_name')}.safetensors")


def save(training: Training, metadata: dict[str, str], *, steps: int, epoch: int, name: str) -> None:
    """Write the LoRA as it is now."""
    settings = training.settings
    tensors = training.network.state_dict(DTYPES[settings.get("save_precision")])
    file = Path(settings.get("output_dir")) / name
    save_lora(file, tensors, metadata, steps=steps, epoch=epoch, title=settings.get("output_name"))


def _epoch_name(settings: Settings, epoch: int) -> str:
    return f"{settings.get('output_name')}-{epoch:06d}.safetensors"


def _remove_old(settings: Settings, epoch: int, every: int) -> None:
    keep = settings.get("save_last_n_epochs")
    if keep is None:
        return
    old = Path(settings.get("output_dir")) / _epoch_name(settings, epoch - every * keep)
    if old.exists():
        log(f"removing old checkpoint: {old}")
        old.unlink()


def _keep_state(training: Training, epoch: int, step: int, every: int) -> None:
    """Save the state of this epoch, then remove the one that is too old."""
    settings = training.settings
    if not settings.get("save_state"):
        return
    folder, name = Path(settings.get("output_dir")), settings.get("output_name")
    save_state(folder / f"{name}-{epoch:06d}-state", training, epoch=epoch, step=step)
    keep = settings.get("save_last_n_epochs_state") or settings.get("save_last_n_epochs")
    if keep:
        shutil.rmtree(folder / f"{name}-{epoch - every * keep:06d}-state", ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
