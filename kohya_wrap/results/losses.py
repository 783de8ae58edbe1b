"""The loss of every step, read from the engine's TensorBoard file and kept as CSV beside the record."""

import csv
import io
import math
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from kohya_wrap.errors import OutputError
from kohya_wrap.files import write_whole
from kohya_wrap.record import RunRecord

_COLUMNS = ("step", "loss", "average_loss", "unet_lr", "text_encoder_lr")
_TAGS = {"loss/current": 1, "loss/average": 2, "lr/unet": 3, "lr/textencoder": 4}


@dataclass(frozen=True, slots=True)
class StepLoss:
    """One optimizer step, counted from 1. Learning rates are those of the next step, as the engine logs them."""

    step: int
    loss: float | None
    average: float | None = None
    unet_lr: float | None = None
    text_encoder_lr: float | None = None


def read_losses(log_dir: Path) -> tuple[StepLoss, ...]:
    """Read the scalars below `log_dir`, in order of steps; empty when no event file is there."""
    rows: dict[int, list[float | None]] = {}
    for file in sorted(log_dir.rglob("events.out.tfevents.*")):
        for tag, step, value in _scalars(file):
            column = _TAGS.get(tag)
            if column is not None:
                rows.setdefault(step, [None] * len(_COLUMNS))[column] = value
    return tuple(StepLoss(step, row[1], row[2], row[3], row[4]) for step, row in sorted(rows.items()))


def _scalars(file: Path) -> Iterator[tuple[str, int, float]]:
    # TensorBoard's reader costs 0.3 s and 40 MB to import: only the end of a run needs it.
    from tensorboard.backend.event_processing.event_file_loader import (  # noqa: PLC0415
        LegacyEventFileLoader,
    )
    from tensorboard.util.tensor_util import make_ndarray  # noqa: PLC0415

    for event in LegacyEventFileLoader(str(file)).Load():
        for value in event.summary.value:
            if value.HasField("simple_value"):
                yield value.tag, event.step, value.simple_value
            elif value.HasField("tensor") and not value.tensor.string_val:
                yield value.tag, event.step, float(make_ndarray(value.tensor))


def shifted(losses: Sequence[StepLoss], uncounted: int) -> tuple[StepLoss, ...]:
    """Add the steps that an engine which goes on did not count."""
    return tuple(replace(loss, step=loss.step + uncounted) for loss in losses) if uncounted else tuple(losses)


def log_dir(record: RunRecord) -> Path:
    """Give the folder of a run's TensorBoard files, as its training TOML names it. Raises OutputError."""
    try:
        sections = tomllib.loads(record.launch.training_config).values()
    except tomllib.TOMLDecodeError:
        sections = {}.values()
    found = [section["logging_dir"] for section in sections if isinstance(section, dict) and "logging_dir" in section]
    if not found:
        raise OutputError("the run's record names no TensorBoard folder", where=record.id)
    return Path(found[0])


def write_losses(losses: Sequence[StepLoss], path: Path) -> None:
    """Write the losses as CSV, one row a step, empty where the engine logged nothing. Raises OutputError."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in losses:
        writer.writerow([row.step, row.loss, row.average, row.unet_lr, row.text_encoder_lr])
    write_whole(path, text.getvalue())


def finite_losses(losses: Sequence[StepLoss]) -> list[float]:
    """Give the losses that are numbers, in order of steps."""
    return [row.loss for row in losses if row.loss is not None and math.isfinite(row.loss)]


def mean_of(losses: Sequence[float]) -> float | None:
    """Give the mean, None of nothing."""
    return fmean(losses) if losses else None
