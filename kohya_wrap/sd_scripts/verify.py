"""Holds what the engine counted against the plan."""

from collections import Counter
from collections.abc import Iterable, Iterator

from kohya_wrap.errors import Problem
from kohya_wrap.events import BucketCounted, Event, ImagesCounted, ModulesCreated, TotalsKnown
from kohya_wrap.sd_scripts.job import TrainingJob

_TODO = "look for pictures or captions that changed since the plan; if there are none, please report this"
_PLAIN_LORA = ("LoRA", "LoCon")


def verify_counts(events: Iterable[Event], job: TrainingJob) -> list[Problem]:
    """List every count of the engine that is not the plan's: pictures, buckets, batches, epochs, steps, modules.

    A count that the engine did not print is not held against it. With several processes, which print over each other,
    buckets are left out.
    """
    seen = tuple(events)
    problems = [*_images(seen, job), *_totals(seen, job), *_modules(seen, job)]
    if job.choices.num_processes == 1:
        problems += _buckets(seen, job)
    return problems


def _mismatch(where: str, engine: object, plan: object) -> Iterator[Problem]:
    if engine != plan:
        yield Problem(where, f"the engine counted {engine}, the plan says {plan}", _TODO)


def _images(events: tuple[Event, ...], job: TrainingJob) -> Iterator[Problem]:
    counted = {event.kind: event.count for event in events if isinstance(event, ImagesCounted)}
    if "train" in counted:
        yield from _mismatch("training pictures x repeats", counted["train"], job.dataset.train_images)
    if "reg" in counted:
        yield from _mismatch("regularization pictures x repeats", counted["reg"], job.dataset.reg_images)


def _totals(events: tuple[Event, ...], job: TrainingJob) -> Iterator[Problem]:
    counted = {event.what: event.count for event in events if isinstance(event, TotalsKnown)}
    planned = {
        "batches_per_epoch": job.steps.batches_per_epoch,
        "epochs": job.steps.epochs,
        "steps": job.steps.total_steps,
    }
    for what, count in planned.items():
        if what in counted:
            yield from _mismatch(what.replace("_", " "), counted[what], count)


def _buckets(events: tuple[Event, ...], job: TrainingJob) -> Iterator[Problem]:
    counted: Counter[tuple[int, int]] = Counter()
    for event in events:
        if isinstance(event, BucketCounted):
            counted[event.width, event.height] += event.count
    planned: Counter[tuple[int, int]] = Counter()
    for group in job.dataset.groups:
        for bucket in group.buckets:
            planned[bucket.width, bucket.height] += bucket.count
    if not counted:
        return
    for width, height in sorted(counted.keys() | planned.keys()):
        yield from _mismatch(f"bucket {width}x{height}", counted[width, height], planned[width, height])


def _modules(events: tuple[Event, ...], job: TrainingJob) -> Iterator[Problem]:
    """The number of LoRA modules says whether the family is right; the toy base and LyCORIS have other numbers."""
    structure = job.config.structure
    if job.base_model.builtin or structure.lora_type not in _PLAIN_LORA or "network_args" in job.config.sd_scripts:
        return
    if job.config.engine.name != "sd-scripts" or not job.family.lora_modules:
        return
    unet = "unet" if structure.lora_type == "LoRA" else "unet_with_conv"
    planned = {"text_encoder": job.family.lora_modules.get("text_encoder"), "unet": job.family.lora_modules.get(unet)}
    for event in events:
        if isinstance(event, ModulesCreated) and planned[event.part] is not None:
            yield from _mismatch(f"LoRA modules, {event.part}", event.count, planned[event.part])
