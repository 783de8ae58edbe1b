"""Runs that are stopped and go on: what tests of them share."""

import csv
import os
import signal
from collections.abc import Callable
from pathlib import Path

from kohya_wrap import Event
from kohya_wrap.events import StateSaved
from kohya_wrap.record import RunRecord, find_records


def records(root: Path) -> list[RunRecord]:
    """Give the runs of a folder, oldest first."""
    return [record for _, record in find_records(root) if isinstance(record, RunRecord)]


def rows(record: RunRecord) -> list[tuple[str, ...]]:
    """Give step, loss and learning rates of every step; the engine's moving average begins anew."""
    with Path(record.losses.path).open(newline="") as file:
        return [(row["step"], row["loss"], row["unet_lr"], row["text_encoder_lr"]) for row in csv.DictReader(file)]


def stop_after(states: int) -> Callable[[Event], None]:
    """Press Ctrl-C when so many states have been saved."""
    seen = []

    def look(event: Event) -> None:
        if isinstance(event, StateSaved):
            seen.append(event)
            if len(seen) == states:
                os.kill(os.getpid(), signal.SIGINT)

    return look


def check_same(record: RunRecord, whole: RunRecord) -> None:
    """Every epoch's tensors, names and steps, and every step's loss, are those of the run that nobody stopped."""
    assert record.status == "succeeded"
    assert [lora.tensors_sha256 for lora in record.loras] == [lora.tensors_sha256 for lora in whole.loras]
    assert [lora.steps for lora in record.loras] == [lora.steps for lora in whole.loras]
    assert [Path(lora.path).name for lora in record.loras] == [Path(lora.path).name for lora in whole.loras]
    assert rows(record) == rows(whole)
    assert record.counts.done_steps == record.counts.planned_steps
