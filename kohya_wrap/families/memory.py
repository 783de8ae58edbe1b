"""How much GPU memory a training will take, reckoned before it starts.

Counted: the base model's weights in the precision of the computation; of each trained number the number itself, its
gradient and its optimizer's states; what a forward pass keeps for the backward pass. The last was counted on the CPU
with torch's saved_tensors_hooks for one picture of 512x512 in bf16, with a LoRA on every module and 231 tokens of
caption, and grows with the pixels of a batch. No GPU has been measured: ACTIVATIONS_FACTOR and CUDA_ITSELF stand for
what the count does not see (workspaces, copies in other types, fragmentation), and were chosen so that setups that
people report to fit barely come out just below their cards.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kohya_wrap.config import Hardware, HardwareChoices, TrainConfig
from kohya_wrap.config.less_memory import steps_down
from kohya_wrap.config.optimizers import find_optimizer
from kohya_wrap.errors import Problem

GIB = 1 << 30
CUDA_ITSELF = 0.8 * GIB
"""Bytes that a process with CUDA and cuDNN takes before it holds anything."""
ACTIVATIONS_FACTOR = 1.5
PIXELS = 512 * 512
_VAE_PICTURE = 1.0 * GIB
"""Bytes for encoding one picture of 512x512 where latents are not cached."""
_MANY_STATES = 20
_STATES = 8
_STATES_8BIT = 2
"""Bytes of optimizer states for a trained number; the first is for those that find their own learning rate."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """A family in numbers: of parameters, of trained numbers per rank, and of bytes kept for a picture of 512x512.

    `kept_checkpointed`: with gradient checkpointing, one block computed again included. `attention`: what attention
    keeps beside that where it is neither xformers nor sdpa; it grows with the square of the pixels.
    """

    unet: int
    text_encoder: int
    vae: int
    lora_unet: int
    lora_text_encoder: int
    lora_resnets: int
    lora_conv: int
    kept: float
    kept_checkpointed: float
    kept_text_encoder: float
    attention: float


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes of GPU memory, by what they are for."""

    weights: float
    trained: float
    activations: float
    itself: float = CUDA_ITSELF

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.trained + self.activations + self.itself


def estimate_memory(config: TrainConfig, choices: HardwareChoices, size: ModelSize | None) -> MemoryEstimate | None:
    """Reckon the GPU memory that each process of a training takes. LyCORIS kinds are taken for LoCon.

    None on the CPU, and where the family has no numbers.
    """
    if size is None or choices.use_cpu:
        return None
    width = 4 if choices.mixed_precision == "no" else 2
    weights = size.unet + size.text_encoder + (0 if config.engine.cache_latents else size.vae)
    return MemoryEstimate(
        weights=weights * width,
        trained=_trained_numbers(config, size) * (4 + 4 + _states(choices.optimizer)),
        activations=_activations(config, choices, size) * width / 2,
    )


def _trained_numbers(config: TrainConfig, size: ModelSize) -> int:
    shape, rates = config.structure, config.learning
    numbers = 0
    if rates.unet_lr:
        numbers += size.lora_unet * shape.network_dim
        if shape.lora_type != "LoRA":
            numbers += size.lora_resnets * shape.network_dim + size.lora_conv * shape.conv_dim
    if rates.text_encoder_lr:
        numbers += size.lora_text_encoder * shape.network_dim
    return numbers


def _states(optimizer: str) -> int:
    known = find_optimizer(optimizer)
    if known is not None and known.kind == "dadapt":
        return _MANY_STATES
    return _STATES_8BIT if optimizer.lower().endswith("8bit") else _STATES


def _activations(config: TrainConfig, choices: HardwareChoices, size: ModelSize) -> float:
    """Give the bytes kept for a batch of the largest bucket, in 16 bits."""
    area = config.processing.resolution**2 / PIXELS
    engine = config.engine
    kept = (size.kept_checkpointed if engine.gradient_checkpointing else size.kept) * area
    if choices.attention == "none" and not engine.gradient_checkpointing:
        kept += size.attention * area**2
    if config.learning.text_encoder_lr and not engine.gradient_checkpointing:
        kept += size.kept_text_encoder
    if not engine.cache_latents:
        kept += _VAE_PICTURE * area / ACTIVATIONS_FACTOR
    return kept * config.steps.train_batch_size * ACTIVATIONS_FACTOR


def memory_problems(
    config: TrainConfig, choices: HardwareChoices, hardware: Hardware, size: ModelSize | None
) -> Iterator[Problem]:
    """Warn where a training will hardly fit into the smallest GPU there is, with what to change first."""
    needed = estimate_memory(config, choices, size)
    gpu = min(hardware.gpus, key=lambda each: each.memory, default=None)
    if needed is None or gpu is None or needed.total <= gpu.memory:
        return
    what = f"about {needed.total / GIB:.1f} GiB of GPU memory are needed, and {gpu.name} has {gpu.memory / GIB:.1f}"
    steps = steps_down(config)
    todo = f"if it runs out: {' '.join(steps[0].lines)}" if steps else "use a larger GPU"
    yield Problem("engine", what, todo, severity="warning", code="gpu-memory")
