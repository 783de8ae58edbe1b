"""What to change in a preset, in which order, when memory runs out: what costs the result least comes first."""

from collections.abc import Iterator
from dataclasses import dataclass

from kohya_wrap.config.model import TrainConfig

LEAST_RESOLUTION = 256
LEAST_RANK = 4


@dataclass(frozen=True, slots=True)
class Step:
    """One change and what it does. `values`: "table.key" -> the value as it stands in a preset; all of one table."""

    values: tuple[tuple[str, str], ...]
    effect: str

    @property
    def overrides(self) -> tuple[str, ...]:
        """The change as --set takes it."""
        return tuple(f"{key}={value}" for key, value in self.values)

    @property
    def lines(self) -> tuple[str, ...]:
        """The change as lines for a preset, its table first."""
        table = self.values[0][0].partition(".")[0]
        return (f"[{table}]", *(f"{key.partition('.')[2]} = {value}" for key, value in self.values))


def steps_down(config: TrainConfig) -> tuple[Step, ...]:
    """List the changes that are left for a preset, to be made one after the other, each kept; empty: nothing is."""
    return tuple(_steps_down(config))


def _steps_down(config: TrainConfig) -> Iterator[Step]:
    embedded = config.engine.name == "embedded"
    if config.steps.train_batch_size > 1:
        yield Step((("steps.train_batch_size", "1"),), "one picture at a time; twice as many steps or more")
    if not config.engine.gradient_checkpointing:
        yield Step((("engine.gradient_checkpointing", "true"),), "the same LoRA, about a third slower")
    if not config.engine.cache_latents and not embedded:
        yield Step((("engine.cache_latents", "true"),), "the VAE leaves the GPU")
    for resolution in _lower(config.processing.resolution):
        yield Step((("processing.resolution", str(resolution)),), "coarser pictures")
    rank, alpha = config.structure.network_dim, config.structure.network_alpha
    while rank > LEAST_RANK:
        lower = max(LEAST_RANK, rank // 2)
        rank, alpha = lower, alpha * lower / rank
        values = (("structure.network_dim", str(rank)), ("structure.network_alpha", f"{alpha:g}"))
        yield Step(values, "a smaller LoRA, scaled as before")


def _lower(resolution: int) -> Iterator[int]:
    """Go down in steps of 128, where the buckets stay whole."""
    resolution -= 128
    while resolution >= LEAST_RESOLUTION:
        yield resolution // 64 * 64
        resolution -= 128
