"""The grid: test pictures on one labelled picture, epochs x weights, the training picture at the left.

Source: the tutorial's own last picture, which shows the training picture and what the LoRA draws at 0 and at 0.5.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kohya_wrap.dataset.verbs.letters import font, font_for
from kohya_wrap.dataset.verbs.reading import UNREADABLE, flattened, opened
from kohya_wrap.dataset.verbs.sheet import FAINT, INK, LINE, PAPER, save_png
from kohya_wrap.results.samples.cells import Block, Cell
from kohya_wrap.results.samples.layout import LARGEST, MARGIN, Layout, Size, lay_out_block, row_name, wrapped

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

_BETWEEN = 40
_SMALLEST_HEAD, _SMALLEST_REASON = 11, 14


def write_grids(
    blocks: Sequence[Block], target: Path, *, training: Path | None, model: str, missing: str = "not drawn yet"
) -> tuple[Path, ...]:
    """Draw the grid of all blocks to `target`; what would be too high for one picture goes on in target-2 and so on.

    `model`: name of the base model. A cell without a picture says why, or `missing`. Raises OutputError, DiskFullError.
    """
    shown = _training_picture(training) if training else None
    layouts = [lay_out_block(block, training=shown.size if shown else None, model=model) for block in blocks]
    written: list[Path] = []
    for page in _pages(layouts):
        image = _page([blocks[at] for at in page], [layouts[at] for at in page], shown, missing)
        name = target.stem if not written else f"{target.stem}-{len(written) + 1}"
        path = target.with_name(f"{name}.png")
        save_png(image, path)
        written.append(path)
    return tuple(written)


def _pages(layouts: Sequence[Layout]) -> Iterator[list[int]]:
    page: list[int] = []
    used = 0
    for at, layout in enumerate(layouts):
        if page and used + layout.height > LARGEST[1]:
            yield page
            page, used = [], 0
        page.append(at)
        used += layout.height + _BETWEEN
    if page:
        yield page


def _training_picture(path: Path) -> "Image | None":
    try:
        with opened(path) as image:
            image.draft("RGB", (1024, 1024))
            return flattened(image, "white")
    except UNREADABLE:
        return None


def _page(blocks: Sequence[Block], layouts: Sequence[Layout], training: "Image | None", missing: str) -> "Image":
    from PIL import Image, ImageDraw  # noqa: PLC0415 - only a grid needs Pillow

    width = max(720, *(layout.width for layout in layouts))
    height = sum(layout.height for layout in layouts) + _BETWEEN * (len(layouts) - 1) + 2 * MARGIN
    page = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(page)
    top = MARGIN
    for block, layout in zip(blocks, layouts, strict=True):
        _Painter(page, draw, layout, top, missing).paint(block, training)
        top += layout.height + _BETWEEN
        if top < height:
            draw.line((MARGIN, top - _BETWEEN // 2, width - MARGIN, top - _BETWEEN // 2), LINE, 2)
    return page


class _Painter:
    """Puts one block on a page, `top` pixels from above."""

    def __init__(self, page: "Image", draw: "ImageDraw", layout: Layout, top: int, missing: str) -> None:
        self._page, self._draw, self._layout, self._top, self._missing = page, draw, layout, top, missing
        self._seen: dict[Path, Image | str] = {}

    def paint(self, block: Block, training: "Image | None") -> None:
        layout = self._layout
        if training is not None:
            self._title("Training picture", MARGIN, layout.training[0])
            self._page.paste(_resized(training, layout.training), (MARGIN, self._top + layout.top))
        for column, weight in enumerate(block.weights):
            self._title(_column_name(block, weight), layout.corner(column, 0)[0], layout.cell[0])
            for row, each in enumerate(block.rows):
                left, top = layout.corner(column, row)
                self._cell(block.cells[each.epoch, weight], (left, self._top + top))
        for row, each in enumerate(block.rows if layout.labels else ()):
            left, top = layout.corner(0, row)
            place = (left - layout.head // 2, self._top + top + layout.cell[1] // 2)
            self._draw.text(place, row_name(each.epoch), INK, font=font(layout.head), anchor="rm")
        top = self._top + layout.height - len(layout.lines) * layout.leading
        for at, (line, faint) in enumerate(layout.lines):
            place = (MARGIN, top + at * layout.leading)
            self._draw.text(place, line, FAINT if faint else INK, font=font_for(line, layout.text))

    def _title(self, text: str, left: int, width: int) -> None:
        room = width + self._layout.gap - 4
        size = next(
            (
                size
                for size in range(self._layout.head, _SMALLEST_HEAD, -1)
                if font_for(text, size).getlength(text) <= room
            ),
            _SMALLEST_HEAD,
        )
        (shown,) = wrapped(text, font_for(text, size).getlength, room, 1) or [""]
        place = (left + width / 2, self._top + self._layout.top / 2 - 2)
        self._draw.text(place, shown, INK, font=font_for(shown, size), anchor="mm")

    def _cell(self, cell: Cell, corner: Size) -> None:
        shown = self._picture(cell)
        width, height = self._layout.cell
        if not isinstance(shown, str):
            place = (corner[0] + (width - shown.width) // 2, corner[1] + (height - shown.height) // 2)
            self._page.paste(shown, place)
            return
        self._draw.rectangle((*corner, corner[0] + width - 1, corner[1] + height - 1), PAPER, LINE)
        size = max(_SMALLEST_REASON, self._layout.head * 3 // 4)
        most = max(1, height // round(size * 1.35) - 1)
        lines = "\n".join(wrapped(shown, font_for(shown, size).getlength, width - size, most))
        middle = (corner[0] + width / 2, corner[1] + height / 2)
        self._draw.multiline_text(middle, lines, FAINT, font=font_for(lines, size), anchor="mm", align="center")

    def _picture(self, cell: Cell) -> "Image | str":
        """Give a cell's picture in its size, or why there is none; that of weight 0, which is in every row, once."""
        if cell.picture is None:
            return cell.reason
        target = cell.picture.target
        if cell.epoch:
            return self._read(target)
        if target not in self._seen:
            self._seen[target] = self._read(target)
        return self._seen[target]

    def _read(self, path: Path) -> "Image | str":
        try:
            with opened(path) as image:
                return _fitted(flattened(image, "white"), self._layout.cell)
        except FileNotFoundError:
            return self._missing
        except UNREADABLE:
            return f"{path.name} cannot be read"


def _column_name(block: Block, weight: float) -> str:
    """Name a column as the tutorial does where there is one row, else by its weight."""
    lora = block.rows[0].lora
    if len(block.rows) == 1 and lora is not None:
        return f"<lora:{lora.path.stem}:{weight:g}>"
    return f"weight {weight:g}" if weight else "weight 0 (base model)"


def _fitted(image: "Image", box: Size) -> "Image":
    factor = min(box[0] / image.width, box[1] / image.height)
    return _resized(image, (max(1, round(image.width * factor)), max(1, round(image.height * factor))))


def _resized(image: "Image", size: Size) -> "Image":
    """Enlarge with all pixels seen, make smaller smoothly."""
    from PIL import Image  # noqa: PLC0415 - only a grid needs Pillow

    whole = size[0] % image.width == 0 and size[1] % image.height == 0
    return image.resize(size, Image.Resampling.NEAREST if whole else Image.Resampling.LANCZOS)
