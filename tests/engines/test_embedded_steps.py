"""The embedded engine's loss weights and learning rates, against numbers worked out by hand."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from helpers_embedded import Facts, find_facts

pytestmark = pytest.mark.engine

TIMESTEPS = (0, 100, 500, 999)
LINEAR = [0, 0.5, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
HALF = math.sqrt(0.5)
SCHEDULES: Mapping[str, Sequence[float | None]] = {
    "constant": [1.0] * 10,
    "constant_with_warmup": [0, 0.5, *[1.0] * 8],
    "linear": LINEAR,
    "linear, a part": LINEAR,
    "linear, none": [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1],
    # Half a cosine over the eight steps after the warm-up; at a quarter of it (1 + cos 45 degrees) / 2.
    "cosine": [0, 0.5, 1, None, (1 + HALF) / 2, None, 0.5, None, (1 - HALF) / 2, None],
    # Two such waves of four steps.
    "cosine_with_restarts": [0, 0.5, 1, (1 + HALF) / 2, 0.5, (1 - HALF) / 2, 1, (1 + HALF) / 2, 0.5, (1 - HALF) / 2],
    # The part that is left, squared.
    "polynomial": [0, 0.5, 1, 0.765625, 0.5625, 0.390625, 0.25, 0.140625, 0.0625, 0.015625],
}


@pytest.fixture
def facts(engine_python: Path) -> Facts:
    return find_facts(engine_python)


def signal_to_noise(timestep: int) -> float:
    """Work out the ratio at a timestep: the root of beta goes evenly from that of 0.00085 to that of 0.012."""
    first, last = math.sqrt(0.00085), math.sqrt(0.012)
    kept = 1.0
    for step in range(timestep + 1):
        kept *= 1 - (first + (last - first) * step / 999) ** 2
    return kept / (1 - kept)


@pytest.mark.parametrize("gamma", [5, 1])
def test_min_snr_weights_are_the_paper_s(facts: Facts, gamma: int) -> None:
    """min(SNR, gamma) / SNR at four timesteps, the whole noise schedule worked out anew (arXiv 2303.09556)."""
    expected = [min(signal_to_noise(t), gamma) / signal_to_noise(t) for t in TIMESTEPS]
    assert facts["snr_weights"][str(gamma)] == pytest.approx(expected, rel=1e-3)


def test_min_snr_leaves_noisy_steps_alone(facts: Facts) -> None:
    """Where the noise is strong the weight is 1; at the first step it is 5 of 1175.5."""
    weights = facts["snr_weights"]["5"]
    assert weights[-1] == 1.0
    assert weights[0] == pytest.approx(5 / (0.99915 / 0.00085), rel=1e-3)


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_each_schedule_gives_its_rates(facts: Facts, name: str) -> None:
    """Ten steps, two of them warm-up where there is one, from a rate of 1."""
    found = facts["schedules"][name]
    given = [(rate, wanted) for rate, wanted in zip(found, SCHEDULES[name], strict=True) if wanted is not None]
    assert [rate for rate, _ in given] == pytest.approx([wanted for _, wanted in given], abs=1e-6)


def test_a_warm_up_with_constant_is_an_error(facts: Facts) -> None:
    """As in sd-scripts; diffusers would ignore it."""
    assert facts["schedules"]["constant, warm-up"] == "constant does not require `num_warmup_steps`. Set None or 0."


def test_the_rates_of_a_training_are_logged_after_each_step(facts: Facts) -> None:
    """Linear with two warm-up steps of four: the next step's rate, for each part, as sd-scripts logs it."""
    scalars = facts["rates"]["scalars"]
    assert [step for step, _ in scalars["lr/unet"]] == [1, 2, 3, 4]
    assert [rate for _, rate in scalars["lr/unet"]] == pytest.approx([5e-4, 1e-3, 5e-4, 0.0])
    assert [rate for _, rate in scalars["lr/textencoder"]] == pytest.approx([2.5e-4, 5e-4, 2.5e-4, 0.0])


def test_the_average_loss_is_of_the_last_epoch_s_places(facts: Facts) -> None:
    """The last loss at each place in the epoch, averaged (facts, 4.2); an epoch's average counts epochs."""
    scalars = facts["rates"]["scalars"]
    losses = [loss for _, loss in scalars["loss/current"]]
    expected = [losses[0], sum(losses[:2]) / 2, (losses[2] + losses[1]) / 2, sum(losses[2:]) / 2]
    assert [average for _, average in scalars["loss/average"]] == pytest.approx(expected, rel=1e-5)
    assert scalars["loss/epoch_average"] == [
        [1, pytest.approx(expected[1], rel=1e-5)],
        [2, pytest.approx(expected[3], rel=1e-5)],
    ]
