"""Steps as the engine counts them, warm-up as the notebook did."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from helpers_hardware import GPU
from helpers_sd_scripts import make_config, make_dataset

from kohya_wrap.dataset.types import Bucket, PreparedDataset
from kohya_wrap.sd_scripts import plan_steps
from kohya_wrap.sd_scripts.job import Overrides, StepPlan

FOLDER = Path("/project/pictures")


def with_buckets(*counts: int, batch_size: int = 2) -> PreparedDataset:
    """Give a dataset whose buckets hold these many pictures, repeats counted."""
    dataset = make_dataset(FOLDER, count=sum(counts), num_repeats=1, batch_size=batch_size)
    buckets = tuple(Bucket(512, 64 * (index + 1), count) for index, count in enumerate(counts))
    return PreparedDataset((replace(dataset.groups[0], buckets=buckets),))


def test_the_tutorial_takes_fifty_steps() -> None:
    """1 picture x 10 repeats, batch 2, 10 epochs: 5 batches, 50 steps, 2 of them warm-up."""
    assert plan_steps(make_config(), make_dataset(FOLDER), GPU) == StepPlan(5, 10, 50, 50, 2, 5)


def test_each_bucket_is_filled_up_on_its_own() -> None:
    """3 + 3 + 1 pictures at batch 2 are 2 + 2 + 1 batches, not 3.5; the notebook's figure stays 35."""
    plan = plan_steps(make_config(), with_buckets(3, 3, 1), GPU)
    assert (plan.batches_per_epoch, plan.total_steps, plan.planned_steps) == (5, 50, 35)


def test_steps_give_epochs() -> None:
    """12 steps over 5 batches are 3 epochs, the last one not whole."""
    config = make_config(steps={"preferred_unit": "Steps", "how_many": 12})
    plan = plan_steps(config, make_dataset(FOLDER), GPU)
    assert (plan.epochs, plan.total_steps, plan.planned_steps) == (3, 12, 12)


def test_accumulation_divides_the_steps() -> None:
    """gradient_accumulation_steps = 2 makes 3 steps of 5 batches an epoch, and the warm-up shrinks with it."""
    config = make_config(sd_scripts={"gradient_accumulation_steps": 2}, learning={"lr_warmup_ratio": 0.2})
    plan = plan_steps(config, make_dataset(FOLDER), GPU)
    assert (plan.batches_per_epoch, plan.total_steps, plan.planned_steps, plan.warmup_steps) == (5, 30, 25, 5)
    assert plan.steps_per_epoch == 3


def test_processes_share_the_batches() -> None:
    """5 batches on 2 GPUs are 3 each, the last one filled up."""
    plan = plan_steps(make_config(), make_dataset(FOLDER), replace(GPU, num_processes=2))
    assert (plan.batches_per_epoch, plan.epochs, plan.total_steps) == (3, 10, 30)


def test_warmup_by_steps_counts_every_process() -> None:
    """accelerate moves the scheduler once per process, so 10 % of 40 steps on 2 GPUs are 8 of its counts."""
    config = make_config(steps={"preferred_unit": "Steps", "how_many": 40}, learning={"lr_warmup_ratio": 0.1})
    assert plan_steps(config, make_dataset(FOLDER), replace(GPU, num_processes=2)).warmup_steps == 8


@pytest.mark.parametrize(("images", "ratio"), [(7, 0.05), (25, 0.33), (3, 0.0), (101, 0.5)])
def test_warmup_is_the_notebooks(images: int, ratio: float) -> None:
    """warmup_steps = int(int(epochs * images * repeats / batch) * ratio), as the notebook calculates."""
    config = make_config(learning={"lr_warmup_ratio": ratio})
    plan = plan_steps(config, make_dataset(FOLDER, count=images), GPU)
    assert plan.warmup_steps == int(int(10 * (images * 10 / 2)) * ratio)


def test_no_pictures_are_no_steps() -> None:
    """An empty dataset gives zeros instead of an error: the dataset room has said what is wrong."""
    assert plan_steps(make_config(), PreparedDataset(()), GPU) == StepPlan(0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("batches", [1, 2, 5, 7, 64, 999])
@pytest.mark.parametrize("processes", [1, 2, 3, 8])
@pytest.mark.parametrize("accumulation", [1, 2, 3, 16])
def test_is_the_engines_own_arithmetic(batches: int, processes: int, accumulation: int) -> None:
    """Dividing in the engine's way, in floats and all at once, gives the same number of steps and epochs."""
    config = make_config(sd_scripts={"gradient_accumulation_steps": accumulation})
    plan = plan_steps(config, with_buckets(batches * 2), replace(GPU, num_processes=processes))
    assert plan.total_steps == 10 * math.ceil(batches / processes / accumulation)
    assert plan.epochs == math.ceil(plan.total_steps / math.ceil(math.ceil(batches / processes) / accumulation))


@pytest.mark.parametrize(
    ("training", "steps", "epochs"),
    [
        ({"a": {"max_train_epochs": 3}, "b": {"max_train_steps": 4}}, 15, 3),
        ({"a": {"max_train_steps": 4}}, 4, 1),
        ({"a": {"max_train_steps": 4}, "b": {"max_train_steps": 6}}, 6, 2),
        ({"max_train_steps": 4}, 4, 1),
        ({}, 1600, 320),
    ],
)
def test_an_override_file_decides(training: dict[str, object], steps: int, epochs: int) -> None:
    """With extras.override_config_file its own values count: epochs win, the last table wins, 1600 is the default."""
    plan = plan_steps(make_config(), make_dataset(FOLDER), GPU, Overrides(training=training))
    assert (plan.total_steps, plan.epochs) == (steps, epochs)
