"""Trains a LoRA on any diffusers-format base model: sd-scripts' command line, files and log, at a demo's size.

Run under accelerate with --config_file and --dataset_config. It exists so that the main job can be shown and tested
anywhere; what it does not honour it refuses. Exit code 1 where it refuses or finds no data.
"""

import argparse
import math
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from data import Dataset, epoch_batches
from keeping import Keeper
from lines import log, log_buckets, log_dataset, log_summary
from saving import job_metadata
from scalars import MovingLoss, open_writer, write_scalars
from settings import RefusedError, Settings, read_settings
from state import load_state
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm
from training import prepare


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
    loop(Keeper(training, metadata), datasets, length, writer)
    if writer:
        writer.close()
    log("model saved.")


def loop(keeper: Keeper, datasets: Sequence[Dataset], length: Length, writer: SummaryWriter | None) -> None:
    """Go through the epochs, saving as asked.

    After a resume steps are counted from 0 again, or from what was done of the epoch, as sd-scripts does.
    """
    training, average = keeper.training, MovingLoss()
    whole, done = divmod(training.settings.get("initial_step", 0), length.batches)
    done *= bool(training.settings.get("skip_until_initial_step"))
    last = length.steps - whole * length.batches
    bar = tqdm(total=last - done, desc="steps", smoothing=0)
    for epoch in range(whole + 1, length.epochs + 1):
        log(f"\nepoch {epoch}/{length.epochs}\n")
        batches = epoch_batches(datasets, seed=training.settings.seed, epoch=epoch)
        left_out = done if epoch == whole + 1 else 0
        for place, batch in enumerate(islice(batches, left_out, None)):
            loss = training.step(batch)
            done += 1
            mean = average.add(place, loss)
            bar.update(1)
            bar.set_postfix(avr_loss=mean)
            write_scalars(writer, training, done, {"loss/current": loss, "loss/average": mean})
            keeper.after_step(step=done, epochs=epoch - 1)
            if done >= last:
                break
        if writer:
            writer.add_scalar("loss/epoch_average", mean, epoch)
        if epoch < length.epochs:
            keeper.after_epoch(epoch, step=done)
    bar.close()
    keeper.at_the_end(step=done, epochs=length.epochs)


if __name__ == "__main__":
    sys.exit(main())
