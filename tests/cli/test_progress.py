"""What a run looks like without a terminal: few lines, each worth reading."""

from pathlib import Path

import pytest

from kohya_wrap.cli.output import size_text, time_text
from kohya_wrap.cli.progress import PlainView, rate_text, step_text
from kohya_wrap.events import (
    CheckpointSaving,
    EngineWarning,
    EpochStarted,
    Notice,
    Phase,
    StateSaved,
    Step,
    UnknownLine,
)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_at_most_one_line_per_percent(capsys: pytest.CaptureFixture[str]) -> None:
    """Ten thousand steps give a hundred and one lines, the last step among them."""
    with PlainView() as view:
        for step in range(10_001):
            view(Step(step=step, total=10_000, loss=0.1, seconds_per_step=0.5))
    shown = lines(capsys)
    assert len(shown) == 101
    assert shown[-1].startswith("step 10000/10000")


def test_a_step_shows_epoch_loss_speed_and_time_left() -> None:
    """All that one wants to know, in one line."""
    text = step_text(Step(step=40, total=100, loss=0.12345, seconds_per_step=0.5), EpochStarted(epoch=2, total=5))
    assert text == "step 40/100  epoch 2/5  average loss 0.123  2.00 it/s  0:30 left"


def test_a_state_is_said_without_the_engine_s_number_of_its_step(capsys: pytest.CaptureFixture[str]) -> None:
    """After a resume the engine counts steps anew, so that number would mislead."""
    with PlainView() as view:
        view(CheckpointSaving(Path("out/tiger-step00000003.safetensors")))
        view(StateSaved(Path("out/tiger-step00000003-state")))
        view(CheckpointSaving(Path("out/tiger-000003.safetensors")))
    assert lines(capsys) == ["saved a training state", "saved tiger-000003.safetensors"]


def test_a_step_without_loss_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """The bar's first update of a step has no loss yet; the second one is the one to show."""
    with PlainView() as view:
        view(Step(step=1, total=2, loss=None, seconds_per_step=None))
        view(Step(step=1, total=2, loss=0.5, seconds_per_step=None))
    assert lines(capsys) == ["step 1/2  average loss 0.5"]


def test_phases_notices_warnings_and_checkpoints_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown lines stay in the log; the rest has a line each."""
    with PlainView() as view:
        view(Phase("latents"))
        view(Notice("fetching"))
        view(EngineWarning("careful"))
        view(CheckpointSaving(Path("/x/tiger-000001.safetensors")))
        view(UnknownLine("noise"))
    assert lines(capsys) == [
        "encoding pictures …",
        "fetching",
        "engine warns: careful",
        "saved tiger-000001.safetensors",
    ]


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.0, "0:00"), (7, "0:07"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03")]
)
def test_times(seconds: float, expected: str) -> None:
    """Minutes and seconds, hours only when there are any."""
    assert time_text(seconds) == expected


@pytest.mark.parametrize(("size", "expected"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB")])
def test_sizes(size: int, expected: str) -> None:
    """Binary units, one digit."""
    assert size_text(size) == expected


@pytest.mark.parametrize(
    ("rate", "expected"), [(None, ""), (0.25, "4.00 it/s"), (1.0, "1.00 s/it"), (2.5, "2.50 s/it")]
)
def test_rates(rate: float | None, expected: str) -> None:
    """it/s when fast, s/it when slow, as the engine's own bar says it."""
    assert rate_text(rate) == expected
