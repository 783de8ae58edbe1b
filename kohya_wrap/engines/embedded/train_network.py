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
from pathlib import Path

import torch
from accelerate import Accelerator
from data import Batch, Dataset, cache_latents, epoch_batches
from diffusers.models.attention_processor import AttnProcessor
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from lines import log, log_buckets, log_dataset, log_summary
from lora import Network, create_network, load_weights
from model import BaseModel, encode_captions, encode_pixels, load_base, noise_scheduler, snr_weights
from optimization import create_optimizer, create_schedule, learning_rates
from saving import DTYPES, job_metadata, save_lora
from settings import RefusedError, Settings, read_settings
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm


class MovingLoss:
    """The engine's average: the last loss at each place in the epoch."""

    def __init__(self) -> None:
        self._losses: list[float] = []

    def add(self, place: int, loss: float) -> float:
        """Take the loss of the step at `place` in its epoch and give the average."""
        if place < len(self._losses):
            self._losses[place] = loss
        else:
            self._losses.append(loss)
        return sum(self._losses) / len(self._losses)


@dataclass(frozen=True)
class Length:
    """How long a training is."""

    batches: int
    epochs: int
    steps: int


@dataclass
class Training:
    """Everything that a step needs."""

    settings: Settings
    accelerator: Accelerator
    base: BaseModel
    network: Network
    optimizer: torch.optim.Optimizer
    schedule: LRScheduler
    noise: DDPMScheduler

    def step(self, batch: Batch) -> float:
        """Do one optimizer step and give its loss."""
        device = self.accelerator.device
        latents = batch.latents.to(device)
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, self.noise.config.num_train_timesteps, (len(latents),), device=device)
        noisy = self.noise.add_noise(latents, noise, timesteps)
        with self.accelerator.autocast():
            context = encode_captions(
                self.base,
                batch.captions,
                max_token_length=self.settings.get("max_token_length"),
                clip_skip=self.settings.get("clip_skip"),
            )
            predicted = self.base.unet(noisy, timesteps, context).sample
        loss = torch.nn.functional.mse_loss(predicted.float(), noise.float(), reduction="none").mean([1, 2, 3])
        gamma = self.settings.get("min_snr_gamma")
        if gamma:
            loss = loss * snr_weights(self.noise, timesteps, gamma)
        loss = loss.mean()
        self.accelerator.backward(loss)
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        norm = self.settings.get("max_grad_norm", 1.0)
        if norm:
            self.accelerator.clip_grad_norm_(weights, norm)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())


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


def prepare(settings: Settings, datasets: Sequence[Dataset], length: Length) -> Training:
    """Load the base model, encode the pictures, make the network and its optimizer."""
    log("preparing accelerator")
    accelerator = Accelerator(mixed_precision=settings.get("mixed_precision", "no"))
    if accelerator.num_processes > 1:
        raise RefusedError("the embedded engine trains on one process")
    log(f"accelerator device: {accelerator.device}")
    log("loading model for process 0/1")
    base = load_base(Path(settings.get("pretrained_model_name_or_path")))
    for part in (base.unet, base.vae, base.text_encoder):
        part.to(accelerator.device)
    if settings.get("sdpa"):
        log("Enable SDPA for U-Net")
    else:
        base.unet.set_attn_processor(AttnProcessor())
    log("caching latents...")
    for dataset in datasets:
        cache_latents(dataset.items, lambda image: encode_pixels(base.vae, image).cpu())
    network = create_network(
        base,
        dim=settings.get("network_dim", 4),
        alpha=settings.get("network_alpha", 1),
        train_text_encoder=not settings.get("network_train_unet_only", False),
        train_unet=not settings.get("network_train_text_encoder_only", False),
    )
    if settings.get("network_weights"):
        load_weights(network, Path(settings.get("network_weights")))
    if settings.get("gradient_checkpointing"):
        base.unet.enable_gradient_checkpointing()
        base.unet.train()
    optimizer = accelerator.prepare(create_optimizer(network, settings))
    schedule = create_schedule(optimizer.optimizer, settings, steps=length.steps)
    return Training(settings, accelerator, base, network, optimizer, schedule, noise_scheduler())


def train(settings: Settings, datasets: Sequence[Dataset]) -> None:
    """Train from the first step to the last saved file."""
    started = time.time()
    length = length_of(settings, datasets)
    training = prepare(settings, datasets, length)
    log_summary(datasets, batches=length.batches, epochs=length.epochs, steps=length.steps)
    metadata = job_metadata(settings, datasets, started=started, **vars(length))
    writer = _writer(settings)
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
    """Go through the epochs, saving as asked."""
    settings, done, average = training.settings, 0, MovingLoss()
    bar = tqdm(total=length.steps, desc="steps", smoothing=0)
    for epoch in range(1, length.epochs + 1):
        log(f"\nepoch {epoch}/{length.epochs}\n")
        for place, batch in enumerate(epoch_batches(datasets, seed=settings.seed, epoch=epoch)):
            loss = training.step(batch)
            done += 1
            mean = average.add(place, loss)
            bar.update(1)
            bar.set_postfix(avr_loss=mean)
            _scalars(writer, training, done, {"loss/current": loss, "loss/average": mean})
            if done >= length.steps:
                break
        if writer:
            writer.add_scalar("loss/epoch_average", mean, epoch)
        every = settings.get("save_every_n_epochs")
        if every and epoch % every == 0 and epoch < length.epochs:
            save(training, metadata, steps=done, epoch=epoch, name=_epoch_name(settings, epoch))
            _remove_old(settings, epoch, every)
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


def _writer(settings: Settings) -> SummaryWriter | None:
    if not settings.get("logging_dir"):
        return None
    stamp = time.strftime("%Y%m%d%H%M%S")
    folder = Path(settings.get("logging_dir")) / f"{settings.get('log_prefix', '')}{stamp}" / "network_train"
    return SummaryWriter(str(folder))


def _scalars(writer: SummaryWriter | None, training: Training, step: int, losses: dict[str, float]) -> None:
    if writer is None:
        return
    for tag, value in {**losses, **learning_rates(training.optimizer, training.network)}.items():
        writer.add_scalar(tag, value, step)
    writer.flush()


if __name__ == "__main__":
    sys.exit(main())
