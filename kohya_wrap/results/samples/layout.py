"""Where everything of a grid stands: sizes of cells, labels and texts, in pixels. Draws nothing."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kohya_wrap.dataset.verbs.letters import font, font_for
from kohya_wrap.results.samples.cells import Block

MARGIN = 32
LARGEST = (4000, 15_000)
"""Width and height of a page; viewers and browsers fail above 16,384 pixels."""
_NARROWEST = 720
_SMALL_PICTURE = 256
"""A picture of fewer pixels is enlarged by a whole factor, so that labels have room."""
_SMALLEST_CELL = 48
_TRAINING_WIDER = 1.25
_LEADING = 1.35
_PROMPT_LINES, _NEGATIVE_LINES = 10, 4
_MOST_CHARACTERS = 6000

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Layout:
    """The measures of one block. `head`, `text`: sizes of fonts. `labels`: width of the names of rows, 0 for one row.

    `training`: size of the training picture, (0, 0) for none. `lines`: what stands below; faint or not.
    """

    cell: Size
    gap: int
    labels: int
    training: Size
    head: int
    text: int
    columns: int
    rows: int
    lines: tuple[tuple[str, bool], ...] = ()

    @property
    def left(self) -> int:
        """Where the first column of cells begins."""
        return MARGIN + (self.training[0] + self.gap if self.training[0] else 0) + self.labels

    @property
    def top(self) -> int:
        """Height of the titles above the cells."""
        return round(self.head * 2.2)

    @property
    def width(self) -> int:
        """Width of the block, margins included."""
        return self.left + self.columns * (self.cell[0] + self.gap) - self.gap + MARGIN

    @property
    def cells_height(self) -> int:
        """Height of the cells; the training picture is never higher than one of them."""
        return self.rows * (self.cell[1] + self.gap) - self.gap

    @property
    def height(self) -> int:
        """Height of the block, without margins."""
        below = round(self.text * 0.8) + len(self.lines) * self.leading if self.lines else 0
        return self.top + self.cells_height + below

    @property
    def leading(self) -> int:
        """Height of a line of text."""
        return round(self.text * _LEADING)

    def corner(self, column: int, row: int) -> Size:
        """Give left and top of a cell, from the block's own top."""
        return self.left + column * (self.cell[0] + self.gap), self.top + row * (self.cell[1] + self.gap)


def lay_out_block(block: Block, *, training: Size | None, model: str) -> Layout:
    """Measure a block; `training`: size of the training picture, `model`: name of the base model."""
    picture = (block.prompt.width, block.prompt.height)
    scale = max(1.0, math.ceil(_SMALL_PICTURE / max(picture)))
    layout = _measured(block, picture, scale, training)
    for _ in range(8):  # gaps and fonts shrink with the cells, so the first guess is nearly right
        too_wide, too_high = layout.width / LARGEST[0], (layout.top + layout.cells_height) / (LARGEST[1] * 0.9)
        if max(too_wide, too_high) <= 1:
            break
        scale /= max(too_wide, too_high) * 1.01
        layout = _measured(block, picture, scale, training)
    width = max(layout.width, _NARROWEST) - 2 * MARGIN
    return Layout(
        *(layout.cell, layout.gap, layout.labels, layout.training, layout.head, layout.text),
        *(layout.columns, layout.rows, tuple(_lines(block, model, layout.text, width))),
    )


def _measured(block: Block, picture: Size, scale: float, training: Size | None) -> Layout:
    cell = (max(_SMALLEST_CELL, round(picture[0] * scale)), max(_SMALLEST_CELL, round(picture[1] * scale)))
    head = min(30, max(17, cell[0] // 17))
    labels = 0
    if len(block.rows) > 1:
        labels = round(max(font(head).getlength(row_name(row.epoch)) for row in block.rows)) + head
    fitted = _inside(training, (round(cell[0] * _TRAINING_WIDER), cell[1])) if training else (0, 0)
    text = min(24, max(16, cell[0] // 21))
    gap = max(8, cell[0] // 16)
    return Layout(cell, gap, labels, fitted, head, text, len(block.weights), len(block.rows))


def row_name(epoch: int) -> str:
    """Give the name of a row."""
    return f"epoch {epoch}"


def _inside(size: Size, box: Size) -> Size:
    """Give the largest size in a picture's proportions that fits a box."""
    factor = min(box[0] / size[0], box[1] / size[1])
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _lines(block: Block, model: str, size: int, width: int) -> Iterator[tuple[str, bool]]:
    prompt = block.prompt
    schedule = "" if prompt.schedule == "Automatic" else f" {prompt.schedule}"
    settings = (
        f"{prompt.steps} steps of {prompt.sampler}{schedule}, CFG scale {prompt.cfg_scale:g}, seed {prompt.seed}, "
        f"{prompt.width}x{prompt.height}, {f'clip skip {prompt.clip_skip}, ' if prompt.clip_skip > 1 else ''}on {model}"
    )
    negative = f"Negative prompt: {prompt.negative_prompt}" if prompt.negative_prompt else ""
    for text, most, faint in (
        (prompt.with_tags(""), _PROMPT_LINES, False),
        (negative, _NEGATIVE_LINES, True),
        (settings, 3, True),
    ):
        for line in wrapped(text, font_for(text, size).getlength, width, most):
            yield line, faint


def wrapped(text: str, length: Callable[[str], float], width: int, most: int) -> list[str]:
    """Break a text into at most so many lines of a width in pixels; a word that is too long is broken, too."""
    words = "".join(char if char.isprintable() else " " for char in text[:_MOST_CHARACTERS]).split()
    lines: list[str] = []
    line = ""
    while words and len(lines) < most:
        word = words.pop(0)
        longer = f"{line} {word}" if line else word
        if length(longer) <= width:
            line = longer
        elif line:
            lines, line, words = [*lines, line], "", [word, *words]
        else:
            fits = next((end for end in range(len(word) - 1, 1, -1) if length(word[:end]) <= width), 1)
            lines, words = [*lines, word[:fits]], [word[fits:], *words]
    if line and len(lines) < most:
        lines.append(line)
    elif lines and (line or words or len(text) > _MOST_CHARACTERS):
        while lines[-1] and length(f"{lines[-1]} …") > width:
            lines[-1] = lines[-1][:-1]
        lines[-1] += " …"
    return lines
