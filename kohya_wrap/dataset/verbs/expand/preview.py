"""What expand makes, to be looked at: each picture with its crops framed, and what comes out of it."""

from collections.abc import Sequence
from pathlib import Path

from kohya_wrap.dataset.verbs.expand.options import ExpandOptions
from kohya_wrap.dataset.verbs.expand.render import Source
from kohya_wrap.dataset.verbs.expand.variants import variants
from kohya_wrap.dataset.verbs.reading import flattened, opened
from kohya_wrap.dataset.verbs.sheet import AMBER, Block, Cell, draw_sheet, save_png

MOST_SHOWN = 24
_SHORT = 20
"""Letters of a name that fit below a small picture."""


def draw_preview(sources: Sequence[Source], options: ExpandOptions, target: Path) -> None:
    """Draw a card per picture, of the first 24, into a PNG. Raises OutputError, DiskFullError."""
    how = "given" if options.boxes else "proposed from detail and colour, by no model: look before you train"
    rest = f"; the first {MOST_SHOWN} of {len(sources)}" if len(sources) > MOST_SHOWN else ""
    blocks = [_card(source, options) for source in sources[:MOST_SHOWN]]
    save_png(draw_sheet("What expand makes", f"crops {how}{rest}", blocks), target)


def _card(source: Source, options: ExpandOptions) -> Block:
    from PIL import ImageDraw  # noqa: PLC0415 - only a dataset needs Pillow

    with opened(source.path) as image:
        flat = flattened(image, options.background or "white")
    framed = flat.copy()
    brush = ImageDraw.Draw(framed)
    for _, box in source.crops:
        brush.rectangle((*box[:2], box[2] - 1, box[3] - 1), outline=AMBER, width=max(2, max(flat.size) // 120))
    name = source.path.stem if len(source.path.stem) <= _SHORT else f"{source.path.stem[: _SHORT - 1]}…"
    cells = [Cell(framed, (name, f"{flat.width} x {flat.height}"))]
    for made in variants(flat, source.crops, flip=options.flip, rotations=options.rotations):
        cells.append(Cell(made.image, (made.kind, f"{made.image.width} x {made.image.height}")))
    return cells
