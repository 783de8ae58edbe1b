"""Loss and learning rates of one run or several, drawn as PNG and SVG."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kohya_wrap.errors import OutputError
from kohya_wrap.files import output_error
from kohya_wrap.record import RunRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#2a6f97", "#c1512f", "#3c8d5a", "#7b4fa3", "#b8860b", "#5a5a5a")
_INK, _GRID = "#333333", "#e3e3e3"
_DRAWN_EPOCHS = 60
"""Epoch lines beyond that number would make a wall."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One run's curves: lists of one length, a step each; nan where nothing was logged."""

    label: str
    batches_per_epoch: int
    steps: tuple[int, ...]
    loss: tuple[float, ...]
    unet_lr: tuple[float, ...]
    text_encoder_lr: tuple[float, ...]

    @property
    def smooth(self) -> list[float]:
        """Give the mean of the last steps, over an epoch or a twentieth of the run, whichever is longer."""
        return moving_average(self.loss, max(1, self.batches_per_epoch, len(self.loss) // 20))


def moving_average(values: Sequence[float], window: int) -> list[float]:
    """Give at each place the mean of the `window` values up to it (fewer at the start); nan is left out."""
    result, total, count = [], 0.0, 0
    for index, value in enumerate(values):
        if not math.isnan(value):
            total, count = total + value, count + 1
        old = values[index - window] if index >= window else math.nan
        if not math.isnan(old):
            total, count = total - old, count - 1
        result.append(total / count if count else math.nan)
    return result


def read_curve(record: RunRecord) -> Curve:
    """Read a run's losses.csv. Raises OutputError where it has none."""
    try:
        with Path(record.losses.path or "none").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        columns = {key: tuple(_number(row[key]) for row in rows) for key in ("loss", "unet_lr", "text_encoder_lr")}
        steps = tuple(int(row["step"]) for row in rows)
    except (OSError, KeyError, ValueError) as error:
        todo = "only runs that trained at least one step have losses"
        raise OutputError(
            "the run's losses cannot be read", where=record.losses.path or record.id, todo=todo
        ) from error
    label = f"{record.project} {record.id}"
    return Curve(label, record.counts.batches_per_epoch, steps, **columns)


def _number(text: str) -> float:
    return float(text) if text else math.nan


def plot(records: Sequence[RunRecord], out: Path) -> tuple[Path, Path]:
    """Draw the runs into `out`.png and `out`.svg and give both paths. Raises OutputError."""
    figure = draw([read_curve(record) for record in records])
    paths = (out.with_suffix(".png"), out.with_suffix(".svg"))
    try:
        for path in paths:
            figure.savefig(path, dpi=150)
    except OSError as error:
        raise output_error(error, out) from error
    return paths


def draw(curves: Sequence[Curve]) -> "Figure":
    """Draw curves one above the other: loss with its moving average, learning rates, epochs marked."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - 0.3 s to import

    figure = Figure(figsize=(10, 6.2), layout="constrained", facecolor="white")
    loss, rates = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for color, curve in zip(_colors(len(curves)), curves, strict=True):
        loss.plot(curve.steps, curve.loss, color=color, alpha=0.28, linewidth=0.9)
        last = next((value for value in reversed(curve.smooth) if not math.isnan(value)), math.nan)
        loss.plot(curve.steps, curve.smooth, color=color, linewidth=2, label=f"{curve.label}   ends at {last:.4f}")
        rates.plot(curve.steps, curve.unet_lr, color=color, linewidth=1.5, label="U-Net")
        rates.plot(curve.steps, curve.text_encoder_lr, color=color, linewidth=1.5, linestyle=":", label="text encoder")
    if len(curves) == 1:
        _mark_epochs((loss, rates), curves[0])
    _dress(loss, "loss")
    _dress(rates, "learning rate")
    rates.set_xlabel("step", color=_INK)
    rates.set_ylim(bottom=0)
    rates.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    loss.legend(loc="upper right", frameon=False, fontsize=9)
    handles, labels = rates.get_legend_handles_labels()
    rates.legend(handles[:2], labels[:2], loc="upper right", frameon=False, fontsize=9)
    return figure


def _colors(count: int) -> list[str]:
    return [COLORS[index % len(COLORS)] for index in range(count)]


def _mark_epochs(axes: Sequence["Axes"], curve: Curve) -> None:
    if not curve.batches_per_epoch or not curve.steps:
        return
    ends = range(curve.batches_per_epoch, curve.steps[-1] + 1, curve.batches_per_epoch)
    stride = max(1, math.ceil(len(ends) / _DRAWN_EPOCHS))
    for epoch, step in list(enumerate(ends, start=1))[stride - 1 :: stride]:
        for axis in axes:
            axis.axvline(step, color="#bbbbbb", linewidth=0.8, linestyle=(0, (2, 3)), zorder=0)
        if len(ends) <= _DRAWN_EPOCHS // 2 or epoch % 5 == 0:
            place = axes[0].get_xaxis_transform()
            axes[0].text(step, 1.01, str(epoch), transform=place, ha="center", fontsize=8, color="#888888")
    axes[0].text(1, 1.05, "epoch", transform=axes[0].transAxes, ha="right", fontsize=8, color="#888888")


def _dress(axis: "Axes", label: str) -> None:
    axis.set_ylabel(label, color=_INK)
    axis.grid(visible=True, axis="y", color=_GRID, linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(colors=_INK, labelsize=9)
