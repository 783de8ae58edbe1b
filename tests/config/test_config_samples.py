"""[samples]: what a preset may say about test pictures."""

import pytest
from pydantic import ValidationError

from kohya_wrap.config.samples import SamplesConfig


def test_weights_show_the_base_model_first() -> None:
    """Without a word a grid has the columns 0, 0.5 and 1, of the last epoch."""
    samples = SamplesConfig()
    assert samples.weights == (0, 0.5, 1)
    assert samples.epochs == "last"


def test_lists_of_toml_are_taken() -> None:
    """Weights and epochs come as TOML arrays, whole numbers among the weights."""
    samples = SamplesConfig.model_validate({"weights": [0, 0.5], "epochs": [1, 10]})
    assert samples.weights == (0, 0.5)
    assert samples.epochs == (1, 10)


def test_seed_zero_is_a_value() -> None:
    """A seed of 0 stays 0."""
    assert SamplesConfig(sample_seed=0).sample_seed == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weights", []),
        ("weights", ["0.5"]),
        ("weights", [float("nan")]),
        ("epochs", []),
        ("epochs", [0]),
        ("epochs", "first"),
        ("sample_seed", -1),
        ("steps", 0),
        ("cfg_scale", 0),
        ("width", 500),
        ("height", 8),
        ("sample_clip_skip", 0),
        ("sampler", ""),
        ("draw_with", "paint"),
    ],
)
def test_what_cannot_be_drawn_is_refused(field: str, value: object) -> None:
    """A value that no picture can be drawn with is a problem of the preset."""
    with pytest.raises(ValidationError):
        SamplesConfig.model_validate({field: value})
