"""A prompt's attention, as A1111 reads it."""

import pytest

from kohya_wrap.engines.drawing.scripts.attention import BREAK, parse_attention


@pytest.mark.parametrize(
    ("prompt", "pieces"),
    [
        ("", []),
        ("a wolf", [("a wolf", 1.0)]),
        ("a (wolf:1.2)", [("a ", 1.0), ("wolf", 1.2)]),
        ("(wolf)", [("wolf", 1.1)]),
        ("[wolf]", [("wolf", 1 / 1.1)]),
        (r"wolf \(animal\)", [("wolf (animal)", 1.0)]),
        ("a: b)", [("a: b)", 1.0)]),
        ("(open", [("open", 1.1)]),
        ("a BREAK b", [("a", 1.0), BREAK, ("b", 1.0)]),
    ],
)
def test_attention(prompt: str, pieces: list[tuple[str, float]]) -> None:
    """Each spelling of attention gives its texts and weights."""
    assert parse_attention(prompt) == pieces


def test_brackets_multiply() -> None:
    """A bracket within a bracket weighs by both."""
    assert parse_attention("((wolf:2))")[0][1] == pytest.approx(2.2)
