"""Prompts that change while a picture is drawn."""

import pytest

from kohya_wrap.engines.drawing.scripts.editing import at_step


def read(prompt: str, steps: int = 4) -> list[str]:
    return [at_step(prompt, step, steps) for step in range(1, steps + 1)]


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("[cat:dog:0.5]", ["cat", "cat", "dog", "dog"]),
        ("[cat:dog:1]", ["cat", "dog", "dog", "dog"]),
        ("[cat:dog:1.0]", ["cat", "cat", "cat", "cat"]),
        ("a [dog:3] b", ["a  b", "a  b", "a  b", "a dog b"]),
        ("[cat::2]", ["cat", "cat", "", ""]),
        ("[cat|dog]", ["cat", "dog", "cat", "dog"]),
        ("[a|b|c]", ["a", "b", "c", "a"]),
        ("[a [b:c:1] d:e:3]", ["a b d", "a c d", "a c d", "e"]),
        ("[(cat:1.2):dog:2]", ["(cat:1.2)", "(cat:1.2)", "dog", "dog"]),
        ("([cat:dog:2]:1.3)", ["(cat:1.3)", "(cat:1.3)", "(dog:1.3)", "(dog:1.3)"]),
    ],
)
def test_editing(prompt: str, texts: list[str]) -> None:
    """Each spelling reads so in each of four steps; when with a point is a share, and up to it the first is drawn."""
    assert read(prompt) == texts


@pytest.mark.parametrize(
    "prompt",
    ["a wolf", "[wolf]", "[a: b]", "[a:b:c]", r"\[cat:dog:0.5\]", "[cat:dog:0.5", "cat:dog:0.5]", "[a:b:c:0.5]", "((["],
)
def test_what_is_no_editing_stays(prompt: str) -> None:
    """Attention, colons, escapes and brackets left open are for those who read attention."""
    assert read(prompt, steps=1) == [prompt]


def test_a_thousand_brackets_are_no_editing() -> None:
    """What is meant to break a reader comes back as it is."""
    hostile = "[" * 1000 + "a:b:0.5" + "]" * 1000
    assert at_step(hostile, 1, 4) == hostile
