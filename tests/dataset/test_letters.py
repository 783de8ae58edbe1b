"""Letters of other scripts, in names and captions that are drawn below pictures."""

import pytest
from PIL.Image import Image

from kohya_wrap.dataset.verbs.letters import font, font_for
from kohya_wrap.dataset.verbs.sheet import RED, Cell, draw_sheet


@pytest.mark.parametrize("text", ["синий волк", "λύκος", "größer, él, łoś", "wolf – x", "“blue” …™"])
def test_letters_of_other_scripts_are_drawn(text: str) -> None:
    """Not as boxes: each letter has a shape of its own, in a font that this package brings."""
    face = font_for(text, 24)
    boxes = [face.getmask("\U000f0000"), font(24).getmask("\U000f0000")]
    shapes = [face.getmask(letter) for letter in text if letter.strip()]
    assert not [shape for shape in shapes for box in boxes if (shape.size, bytes(shape)) == (box.size, bytes(box))]


def test_plain_text_needs_no_other_font() -> None:
    """Pillow's own draws it, and no system's is looked for."""
    assert font_for("wolf_01.png, 'quoted' …", 14) is font(14)


@pytest.mark.parametrize("part", ["title", "below", "name", "caption", "badge"])
def test_every_text_of_a_sheet_is_drawn(part: str) -> None:
    """An и is no ш and no box; a box looks the same whichever letter it stands for."""

    def sheet(text: str) -> Image:
        texts = dict.fromkeys(("title", "below", "name", "caption", "badge"), "same") | {part: text}
        cell = Cell(None, (texts["name"], texts["caption"]), RED, texts["badge"])
        return draw_sheet(texts["title"], texts["below"], [[cell]])

    assert sheet("ии").tobytes() != sheet("шш").tobytes()
    assert sheet("\U000f0000").tobytes() == sheet("\U000f0001").tobytes()
