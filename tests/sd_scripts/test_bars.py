"""tqdm's bars: every step once, with its own loss."""

import math

import pytest

from kohya_wrap.events import Progress, Step
from kohya_wrap.sd_scripts.bars import TrainingBar, read_bar


def drawing(step: int, total: int = 10, *, rate: str = "2.00s/it", postfix: str = "") -> str:
    tail = f", {postfix}" if postfix else ""
    return f"steps: {10 * step:3d}%|███▎      | {step}/{total} [00:01<00:02,  {rate}{tail}]"


def told(*drawings: str) -> list[Step]:
    bar = TrainingBar()
    steps: list[Step] = []
    for text in drawings:
        read = bar.read(text)
        assert read is not None
        steps += read[0]
    return steps + list(bar.flush())


def test_a_step_drawn_twice_is_told_once() -> None:
    """The first drawing has the old loss, the second the step's own; one event with the latter comes out."""
    steps = told(
        drawing(0, rate="?it/s"),
        drawing(1),
        drawing(1, postfix="avr_loss=0.5"),
        drawing(2, postfix="avr_loss=0.5"),
        drawing(2, postfix="avr_loss=0.4"),
    )
    assert steps == [Step(1, 10, 0.5, 2.0), Step(2, 10, 0.4, 2.0)]


def test_an_unchanged_loss_is_told_too() -> None:
    """A loss that stays the same to three digits loses no step: each comes, one drawing later at most."""
    postfix = "avr_loss=0.1"
    steps = told(*(drawing(step, postfix=postfix) for step in (1, 2, 2, 3, 4, 4)))
    assert [step.step for step in steps] == [1, 2, 3, 4]


def test_a_skipped_drawing_loses_no_step() -> None:
    """tqdm leaves out drawings of fast steps; those it draws are told."""
    steps = told(drawing(3, postfix="avr_loss=0.3"), drawing(7, postfix="avr_loss=0.2"))
    assert [step.step for step in steps] == [3, 7]


@pytest.mark.parametrize(
    ("rate", "seconds"), [("2.50s/it", 2.5), ("4.00it/s", 0.25), ("?it/s", None), ("0.00it/s", None)]
)
def test_speed_in_seconds_per_step(rate: str, seconds: float | None) -> None:
    """it/s and s/it both become seconds per step; an unknown speed is None."""
    (step,) = told(drawing(1, rate=rate, postfix="avr_loss=1"))
    assert step.seconds_per_step == seconds


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_broken_loss_is_told_at_once(text: str) -> None:
    """nan and inf come through, also when the same step was told before, as with accumulation."""
    steps = told(drawing(3, postfix="avr_loss=0.3"), drawing(3, postfix=f"avr_loss={text}"))
    assert len(steps) == 2
    assert steps[1].loss is not None
    assert not math.isfinite(steps[1].loss)


def test_the_loss_behind_other_figures() -> None:
    """With scale_weight_norms the loss stands behind two other figures."""
    (step,) = told(drawing(1, postfix="Average key norm=0.00681, Keys Scaled=0, avr_loss=0.25"))
    assert step.loss == 0.25


def test_step_0_is_no_step() -> None:
    """Drawings before the first step is done tell nothing, even with a loss of a part of it."""
    assert told(drawing(0, rate="?it/s"), drawing(0, rate="?it/s", postfix="avr_loss=1.07")) == []


def test_what_stands_behind_the_bar() -> None:
    """Text that was printed on the bar's line is given back."""
    read = TrainingBar().read(drawing(0, rate="?it/s") + "Traceback (most recent call last):")
    assert read == ((), "Traceback (most recent call last):")


LOADING = "Loading pipeline components..."


@pytest.mark.parametrize(
    ("text", "name", "done", "total"),
    [
        ("  0%|          | 0/3 [00:00<?, ?it/s]", "latents", 0, 3),
        (" 33%|███▎      | 1/3 [00:00<00:00,  2.41it/s]", "latents", 1, 3),
        ("100%|##########| 3/3 [1:02:03<00:00,  2.41s/it]", "latents", 3, 3),
        ("read caption: 100%|██████████| 3/3 [00:00<00:00, 26658.71it/s]", "read caption", 3, 3),
        (f"{LOADING}:  25%|██▌       | 1/4 [00:06<00:19,  6.61s/it]", LOADING, 1, 4),
        ("validation steps:  50%|█    | 1/2 [00:00<00:00,  1.00it/s, val_avg_loss=0.1]", "validation steps", 1, 2),
    ],
)
def test_other_bars(text: str, name: str, done: int, total: int) -> None:
    """Any other bar is progress; without a name it takes the label given."""
    assert read_bar(text, label="latents") == (Progress(name, done, total), "")


def test_a_bar_of_nothing() -> None:
    """A bar over nothing says nothing, and is still known to be a bar."""
    assert read_bar("read caption: 0it [00:00, ?it/s]", label="") == (None, "")


@pytest.mark.parametrize("text", ["", "50% of all", "a | b", "steps: soon", "caption: 1/2 [00:00"])
def test_what_is_no_bar(text: str) -> None:
    """Lines that only look a little like bars are none."""
    assert read_bar(text, label="") is None
    assert TrainingBar().read(text) is None
