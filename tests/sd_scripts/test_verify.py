"""The engine's own counts against the plan."""

from dataclasses import replace

import pytest
from helpers_hardware import CPU
from helpers_logs import own, parse
from helpers_sd_scripts import SHAPES, Shape, make_dataset, make_job

from kohya_wrap.events import BucketCounted, Event, ImagesCounted, ModulesCreated, TotalsKnown
from kohya_wrap.sd_scripts.job import TrainingJob
from kohya_wrap.sd_scripts.verify import verify_counts

# What the engine prints for the shape "one-image".
PLANNED: list[Event] = [
    BucketCounted(0, 512, 512, 10),
    ModulesCreated("text_encoder", 72),
    ModulesCreated("unet", 192),
    ImagesCounted("train", 10),
    ImagesCounted("validation", 0),
    ImagesCounted("reg", 0),
    TotalsKnown("batches_per_epoch", 5),
    TotalsKnown("epochs", 10),
    TotalsKnown("steps", 50),
]


def job(name: str = "one-image") -> TrainingJob:
    return make_job(SHAPES[name])


def test_what_was_planned_is_no_problem() -> None:
    """The counts of the plan are no problem."""
    assert verify_counts(PLANNED, job()) == []


@pytest.mark.parametrize(
    ("index", "event", "where"),
    [
        (0, BucketCounted(0, 512, 448, 10), "bucket 512x448"),
        (0, BucketCounted(0, 512, 512, 9), "bucket 512x512"),
        (1, ModulesCreated("text_encoder", 264), "LoRA modules, text_encoder"),
        (2, ModulesCreated("unet", 228), "LoRA modules, unet"),
        (3, ImagesCounted("train", 9), "training pictures x repeats"),
        (5, ImagesCounted("reg", 1), "regularization pictures x repeats"),
        (6, TotalsKnown("batches_per_epoch", 6), "batches per epoch"),
        (7, TotalsKnown("epochs", 11), "epochs"),
        (8, TotalsKnown("steps", 49), "steps"),
    ],
)
def test_a_difference_is_named(index: int, event: Event, where: str) -> None:
    """Each count that is not the plan's is a problem that names it and both numbers."""
    events = list(PLANNED)
    events[index] = event
    assert where in [problem.where for problem in verify_counts(events, job())]


def test_what_was_not_printed_is_not_missed() -> None:
    """A count that the engine did not print is not held against it."""
    assert verify_counts([], job()) == []


def test_all_differences_at_once() -> None:
    """Several differences come in one list."""
    events: list[Event] = [ImagesCounted("train", 1), TotalsKnown("steps", 1), TotalsKnown("epochs", 1)]
    assert len(verify_counts(events, job())) == 3


def test_locon_has_more_modules() -> None:
    """LoCon trains the convolutions too: 278 modules in the U-Net."""
    assert verify_counts([ModulesCreated("unet", 278)], job("style-locon")) == []
    assert len(verify_counts([ModulesCreated("unet", 192)], job("style-locon"))) == 1


@pytest.mark.parametrize("name", ["lycoris-locon", "demo", "passed-through", "sd2"])
def test_where_the_number_of_modules_is_not_known(name: str) -> None:
    """LyCORIS, the embedded engine, own network_args and families without figures are not held to a number."""
    assert verify_counts([ModulesCreated("unet", 5)], job(name)) == []


def test_two_groups_share_a_bucket_size() -> None:
    """Buckets of one size in two datasets are added up, as the engine prints them twice."""
    dataset = make_dataset(job().run.folder)
    twice = replace(dataset, groups=dataset.groups * 2)
    events = [BucketCounted(0, 512, 512, 10), BucketCounted(0, 512, 512, 10)]
    assert verify_counts(events, make_job(Shape({}, dataset=twice))) == []


def test_several_processes_print_over_each_other() -> None:
    """With two processes every bucket is printed twice, and not compared."""
    events = [BucketCounted(0, 512, 512, 10), BucketCounted(0, 512, 512, 10)]
    assert verify_counts(events, make_job(Shape({}, choices=replace(CPU, num_processes=2)))) == []


def test_a_recorded_run_matches_its_plan() -> None:
    """The plan for two pictures, two repeats, batch 1, two epochs is what the real engine counted."""
    tables = {
        "processing": {"resolution": 64},
        "steps": {"how_many": 2, "train_batch_size": 1, "num_repeats": 2},
    }
    dataset = make_dataset(job().run.folder, count=2, num_repeats=2, resolution=64, batch_size=1)
    assert verify_counts(parse(own("simple")), make_job(Shape(tables, choices=CPU, dataset=dataset))) == []
