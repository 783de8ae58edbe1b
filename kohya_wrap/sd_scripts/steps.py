"""How long a run is: in steps and epochs as the engine will count them, and as the notebook did."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from kohya_wrap.config import HardwareChoices, TrainConfig
from kohya_wrap.dataset.types import PreparedDataset
from kohya_wrap.sd_scripts.job import Overrides, StepPlan
from kohya_wrap.sd_scripts.overrides import flatten

ENGINE_DEFAULT_STEPS = 1600
"""max_train_steps of a training file that gives neither steps nor epochs. Source: options.json."""


@dataclass(frozen=True, slots=True)
class _Length:
    """What was asked for: epochs (which win, as in the engine) or steps."""

    epochs: int | None
    steps: int
    batch_size: int
    accumulation: int


def plan_steps(
    config: TrainConfig, dataset: PreparedDataset, choices: HardwareChoices, overrides: Overrides | None = None
) -> StepPlan:
    """Count batches, epochs and steps of a run as sd-scripts will.

    A bucket is filled up on its own, so an epoch can have more batches than pictures x repeats / batch. Batches are
    shared out over the processes, and gradient_accumulation_steps of them make one step. Source: train_network.py at
    the pinned commit; for planned_steps and warmup_steps the notebook. A dataset without pictures gives zeros.
    """
    asked = _asked(config, overrides)
    per_process = math.ceil(dataset.batches_per_epoch / choices.num_processes)
    per_epoch = math.ceil(per_process / asked.accumulation)
    if not per_epoch:
        return StepPlan(0, 0, 0, 0, 0, 0)
    total = asked.steps if asked.epochs is None else asked.epochs * per_epoch
    planned = _planned(asked, dataset)
    return StepPlan(
        batches_per_epoch=per_process,
        epochs=math.ceil(total / per_epoch),
        total_steps=total,
        planned_steps=planned,
        warmup_steps=int(planned * config.learning.lr_warmup_ratio * _scheduler_share(asked, choices)),
        steps_per_epoch=per_epoch,
    )


def kept_epochs(config: TrainConfig, steps: StepPlan) -> tuple[int, ...]:
    """Give the epochs whose LoRAs a run will leave."""
    every, keep, last = config.steps.save_every_n_epochs, config.steps.keep_only_last_n_epochs, steps.epochs
    epochs = [epoch for epoch in range(1, last) if every and epoch % every == 0] + [last]
    return tuple(epochs[-keep:] if keep else epochs)


def _planned(asked: _Length, dataset: PreparedDataset) -> int:
    if asked.epochs is None:
        return asked.steps
    images = dataset.train_images + dataset.reg_images
    return int(asked.epochs * (images / asked.batch_size / asked.accumulation))


def _scheduler_share(asked: _Length, choices: HardwareChoices) -> int:
    """Give what the scheduler counts per step: accelerate moves it once per process, and steps are of all together."""
    return choices.num_processes if asked.epochs is None else 1


def _asked(config: TrainConfig, overrides: Overrides | None) -> _Length:
    if overrides is not None and overrides.training is not None:
        return _from_file(flatten(overrides.training))
    by_epochs = config.steps.preferred_unit == "Epochs"
    return _Length(
        epochs=config.steps.how_many if by_epochs else None,
        steps=0 if by_epochs else config.steps.how_many,
        batch_size=config.steps.train_batch_size,
        accumulation=_whole(config.sd_scripts, "gradient_accumulation_steps", 1),
    )


def _from_file(values: Mapping[str, object]) -> _Length:
    epochs = values.get("max_train_epochs")
    return _Length(
        epochs=epochs if isinstance(epochs, int) else None,
        steps=_whole(values, "max_train_steps", ENGINE_DEFAULT_STEPS),
        batch_size=_whole(values, "train_batch_size", 1),
        accumulation=_whole(values, "gradient_accumulation_steps", 1),
    )


def _whole(values: Mapping[str, object], name: str, default: int) -> int:
    value = values.get(name, default)
    return max(value, 1) if isinstance(value, int) else default
