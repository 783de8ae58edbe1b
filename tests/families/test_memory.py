"""The estimate of GPU memory: against setups that people report, and in the directions that each choice pulls."""

import tomllib
from dataclasses import replace

import pytest
from helpers_hardware import GPU

from kohya_wrap.config import Gpu, Hardware, HardwareChoices, TrainConfig
from kohya_wrap.config.less_memory import steps_down
from kohya_wrap.families import FAMILIES
from kohya_wrap.families.memory import GIB, estimate_memory, memory_problems

SIZE = FAMILIES["sd15"].size


def preset(*, resolution: int = 512, batch: int = 1, rank: int = 16, **tables: dict[str, object]) -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "setup": {"project_name": "x"},
            "processing": {"resolution": resolution},
            "steps": {"train_batch_size": batch},
            "structure": {"network_dim": rank, **tables.pop("structure", {})},
            **tables,
        }
    )


def gibibytes(config: TrainConfig, choices: HardwareChoices = GPU) -> float:
    found = estimate_memory(config, choices, SIZE)
    assert found is not None
    return found.total / GIB


@pytest.mark.parametrize(
    ("resolution", "batch", "rank", "attention", "least", "most"),
    [
        (512, 2, 16, "xformers", 5.0, 6.0),  # "6 GB: barely possible"
        (512, 4, 64, "xformers", 7.0, 11.0),  # an 11 GB card: fits
        (768, 2, 16, "xformers", 8.0, 12.0),  # 12 GB: barely
        (512, 1, 16, "xformers", 4.0, 6.0),  # 4 GB: not enough
        (512, 2, 16, "none", 9.0, 11.0),  # 10 GB without xformers
    ],
)
def test_setups_that_people_report(
    resolution: int, batch: int, rank: int, attention: str, least: float, most: float
) -> None:
    """The estimate lies where the field's reports put it: no GPU has been measured for this."""
    config = preset(resolution=resolution, batch=batch, rank=rank)
    assert least < gibibytes(config, replace(GPU, attention=attention)) < most


@pytest.mark.parametrize(
    ("batch", "checkpointing", "least", "most"),
    [
        (1, True, 8.0, 11.0),  # 12 GB: fits
        (4, True, 11.0, 15.0),  # the notebook's own, on a card of 15 GB
        (1, False, 16.0, 22.0),  # 24 GB: fits
    ],
)
def test_sdxl_at_1024(batch: int, *, checkpointing: bool, least: float, most: float) -> None:
    """SDXL without gradient checkpointing takes a large card; with it a common one."""
    config = preset(resolution=1024, batch=batch, rank=8, engine={"gradient_checkpointing": checkpointing})
    found = estimate_memory(config, GPU, FAMILIES["sdxl"].size)
    assert found is not None
    assert least < found.total / GIB < most


def test_every_step_down_takes_less() -> None:
    """Each change that is advised lowers the estimate, in the order given."""
    config = preset(resolution=768, batch=4, rank=64, engine={"cache_latents": False})
    amounts = [gibibytes(config)]
    for step in steps_down(config):
        stated = config.model_dump(exclude_unset=True)
        for table, values in tomllib.loads("\n".join(step.lines)).items():
            stated.setdefault(table, {}).update(values)
        config = TrainConfig.model_validate(stated)
        amounts.append(gibibytes(config))
    assert len(amounts) > 5
    assert amounts == sorted(amounts, reverse=True)
    assert len(set(amounts)) == len(amounts)
    assert steps_down(config) == ()


@pytest.mark.parametrize(
    ("optimizer", "bytes_a_number"), [("AdamW8bit", 10), ("AdamW", 16), ("Prodigy", 28), ("some.Class", 16)]
)
def test_an_optimizer_has_its_states(optimizer: str, bytes_a_number: int) -> None:
    """The number and its gradient in 32 bits, and what the optimizer remembers of it."""
    found = estimate_memory(preset(rank=1), replace(GPU, optimizer=optimizer), SIZE)
    assert found is not None
    assert found.trained == (423_936 + 165_888) * bytes_a_number


def test_full_precision_takes_twice_as_much() -> None:
    """Weights and kept results double; what is trained is in 32 bits anyway."""
    half = estimate_memory(preset(), GPU, SIZE)
    full = estimate_memory(preset(), replace(GPU, mixed_precision="no"), SIZE)
    assert half is not None
    assert full is not None
    assert (full.weights, full.activations) == (2 * half.weights, 2 * half.activations)
    assert full.trained == half.trained


def test_convolutions_count() -> None:
    """A LoCon trains more than a LoRA."""
    assert gibibytes(preset(structure={"lora_type": "LoCon"})) > gibibytes(preset())


def test_nothing_is_said_of_the_cpu() -> None:
    """A run on the CPU takes no GPU memory, and warns of none."""
    cpu = replace(GPU, use_cpu=True)
    assert estimate_memory(preset(), cpu, SIZE) is None
    assert list(memory_problems(preset(), cpu, Hardware(), SIZE)) == []


def test_a_gpu_that_is_too_small_is_warned_of() -> None:
    """The smaller of two GPUs is named, with both figures and the first thing to change."""
    small, large = (Gpu(f"{size} GB card", size * GIB, (8, 6)) for size in (4, 24))
    (problem,) = memory_problems(preset(batch=2), GPU, Hardware(gpus=(large, small)), SIZE)
    assert problem.severity == "warning"
    assert "4 GB card has 4.0" in problem.what
    assert problem.todo == "if it runs out: [steps] train_batch_size = 1"
    assert list(memory_problems(preset(batch=2), GPU, Hardware(gpus=(large,)), SIZE)) == []
