"""Curves of runs: the moving average, what is drawn, and files that open."""

import csv
import math
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL import Image
from run_records import make_record

from kohya_wrap.errors import OutputError
from kohya_wrap.record import RunRecord
from kohya_wrap.results.curves import draw, moving_average, plot, read_curve


def run_with_losses(folder: Path, name: str = "a", steps: int = 40) -> RunRecord:
    path = folder / f"{name}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("step", "loss", "average_loss", "unet_lr", "text_encoder_lr"))
        writer.writerows((step, 1 / step, 1 / step, 5e-4, "") for step in range(1, steps + 1))
    record = make_record(name)
    return record.with_(losses=record.losses.model_copy(update={"path": str(path), "steps": steps}))


def test_the_moving_average_is_over_the_last_values() -> None:
    """Hand-worked: window 3, fewer at the start."""
    assert moving_average([3.0, 1.0, 2.0, 6.0], 3) == [3.0, 2.0, 2.0, 3.0]


def test_the_moving_average_leaves_out_what_is_no_number() -> None:
    """A nan neither counts nor stays in the window's sum."""
    smooth = moving_average([math.nan, 2.0, math.nan, 4.0, 6.0], 2)
    assert math.isnan(smooth[0])
    assert smooth[1:] == [2.0, 2.0, 4.0, 5.0]


def test_an_empty_cell_is_no_number(tmp_path: Path) -> None:
    """A learning rate that the engine did not log is a gap, not zero."""
    curve = read_curve(run_with_losses(tmp_path))
    assert all(math.isnan(value) for value in curve.text_encoder_lr)
    assert curve.steps == tuple(range(1, 41))


def test_every_epoch_of_a_run_is_marked(tmp_path: Path) -> None:
    """40 steps of 10 a epoch: four numbers above the curve, and one word."""
    figure = draw([read_curve(run_with_losses(tmp_path))])
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "2", "3", "4", "epoch"]


def test_several_runs_have_colours_of_their_own(tmp_path: Path) -> None:
    """Two runs, two names in the legend, two colours, and no epochs of only one of them."""
    curves = [read_curve(run_with_losses(tmp_path, name)) for name in ("a", "b")]
    axis = draw(curves).axes[0]
    handles, labels = axis.get_legend_handles_labels()
    assert [label.split()[1] for label in labels] == ["a", "b"]
    assert len({str(handle.get_color()) for handle in handles}) == 2  # type: ignore[attr-defined]  # lines
    assert list(axis.texts) == []


def test_both_files_open(tmp_path: Path) -> None:
    """A PNG that is not blank, and an SVG that is XML."""
    png, svg = plot([run_with_losses(tmp_path)], tmp_path / "loss")
    with Image.open(png) as image:
        assert image.size == (1500, 930)
        assert len(set(image.convert("L").get_flattened_data())) > 10
    assert ET.parse(svg).getroot().tag.endswith("svg")  # noqa: S314


def test_a_run_without_losses_is_said(tmp_path: Path) -> None:
    """The error names the file that is missing."""
    with pytest.raises(OutputError, match="losses cannot be read"):
        plot([make_record("a")], tmp_path / "loss")
