"""What happens in a training step, and all that it needs, put together once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from data import Batch, Dataset, cache_latents
from diffusers.models.attention_processor import AttnProcessor
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from lines import log
from lora import Network, create_network, load_weights
from model import BaseModel, encode_captions, encode_pixels, load_base, noise_scheduler, snr_weights
from optimization import create_optimizer, create_schedule
from settings import RefusedError, Settings
from torch.optim.lr_scheduler import LRScheduler


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


def prepare(settings: Settings, datasets: Sequence[Dataset], *, steps: int) -> Training:
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
    schedule = create_schedule(optimizer.optimizer, settings, steps=steps)
    return Training(settings, accelerator, base, network, optimizer, schedule, noise_scheduler())
