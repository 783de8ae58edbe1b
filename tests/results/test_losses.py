"""Losses come from real TensorBoard files and go into a CSV that a spreadsheet opens."""

import csv
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from kohya_wrap.results.losses import finite_losses, mean_of, read_losses, write_losses


def log(folder: Path, rows: dict[int, dict[str, float]]) -> None:
    writer = EventFileWriter(str(folder))
    for step, scalars in rows.items():
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        writer.add_event(Event(step=step, wall_time=0.0, summary=Summary(value=values)))
    writer.close()


def test_every_step_is_read_in_order(tmp_path: Path) -> None:
    """Steps come sorted, with loss, average and both learning rates; other tags are left out."""
    log(
        tmp_path / "name2026/network_train",
        {
            2: {"loss/current": 0.25, "loss/average": 0.375, "lr/unet": 0.5, "lr/textencoder": 0.125, "lr/group1": 9.0},
            1: {"loss/current": 0.5, "loss/average": 0.5},
        },
    )
    first, second = read_losses(tmp_path)
    assert (first.step, first.loss, first.unet_lr) == (1, 0.5, None)
    assert (second.step, second.loss, second.average, second.unet_lr, second.text_encoder_lr) == (
        2,
        0.25,
        0.375,
        0.5,
        0.125,
    )


def test_a_folder_without_logs_gives_nothing(tmp_path: Path) -> None:
    """A run that died before its first step has no losses, and that is no error."""
    assert read_losses(tmp_path / "none") == ()


def test_a_file_cut_in_the_middle_gives_what_is_whole(tmp_path: Path) -> None:
    """A killed engine leaves half an event at the end: the steps before it count."""
    log(tmp_path, {step: {"loss/current": 0.5} for step in range(1, 11)})
    (file,) = tmp_path.glob("events*")
    file.write_bytes(file.read_bytes()[:-7])
    assert [row.step for row in read_losses(tmp_path)] == list(range(1, 10))


def test_the_csv_has_a_row_per_step(tmp_path: Path) -> None:
    """What is written is what was read; a value that was not logged stays empty."""
    log(tmp_path / "logs", {1: {"loss/current": 0.5, "lr/unet": 0.25}})
    target = tmp_path / "losses.csv"
    write_losses(read_losses(tmp_path / "logs"), target)
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"step": "1", "loss": "0.5", "average_loss": "", "unet_lr": "0.25", "text_encoder_lr": ""}]


def test_nan_is_left_out_of_the_mean(tmp_path: Path) -> None:
    """A loss that is no number does not make the mean one."""
    log(tmp_path, {1: {"loss/current": 1.0}, 2: {"loss/current": float("nan")}, 3: {"loss/current": 2.0}})
    numbers = finite_losses(read_losses(tmp_path))
    assert numbers == [1.0, 2.0]
    assert mean_of(numbers) == 1.5
    assert mean_of([]) is None
