"""What the machine offers, as facts passed in, and what a run uses of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gpu:
    """One CUDA device. `memory` in bytes; `capability` as (major, minor)."""

    name: str
    memory: int
    capability: tuple[int, int]

    @property
    def has_bf16(self) -> bool:
        """bfloat16 in hardware came with compute capability 8.0 (Ampere)."""
        return self.capability >= (8, 0)


@dataclass(frozen=True, slots=True)
class Hardware:
    """The facts. `xformers` and `bitsandbytes`: the engine's environment can use them with CUDA."""

    gpus: tuple[Gpu, ...] = ()
    cpu_count: int = 1
    memory: int = 0
    driver: str = ""
    xformers: bool = False
    bitsandbytes: bool = False

    @property
    def cuda(self) -> bool:
        """Whether any CUDA device is there."""
        return bool(self.gpus)


@dataclass(frozen=True, slots=True)
class HardwareChoices:
    """What a run uses. `reasons` pairs each key with one sentence for the plan, in the order decided."""

    mixed_precision: str
    attention: str
    optimizer: str
    max_data_loader_n_workers: int
    persistent_data_loader_workers: bool
    lowram: bool
    num_processes: int
    num_cpu_threads: int
    use_cpu: bool
    deterministic: bool = False
    reasons: tuple[tuple[str, str], ...] = ()
