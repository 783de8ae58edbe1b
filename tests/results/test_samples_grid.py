"""The grid: every size and number of pictures, and what is shown where there is none."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from kohya_wrap.config.samples import SamplesConfig
from kohya_wrap.dataset.verbs.letters import font
from kohya_wrap.results.publish import Lora
from kohya_wrap.results.samples.cells import Block, Row, Wanted, lay_out, pictures_to_draw
from kohya_wrap.results.samples.grid import write_grids
from kohya_wrap.results.samples.layout import LARGEST, MARGIN, Layout, lay_out_block, wrapped
from kohya_wrap.results.samples.prompts import read_prompts
from kohya_wrap.results.samples.shelf import Shelf
from kohya_wrap.results.samples.text import Base

COLOURS = ("red", "lime", "blue", "orange")


def make_blocks(
    folder: Path,
    *,
    rows: int = 1,
    weights: Sequence[float] = (0, 0.5, 1),
    size: tuple[int, int] = (64, 64),
    prompts: Sequence[str] = ("a wolf",),
    gone: Sequence[int] = (),
) -> tuple[Block, ...]:
    """Lay out a grid, and paint each picture in the colour of its weight."""
    samples = SamplesConfig(prompts=tuple(prompts), width=size[0], height=size[1])
    lora = {
        each: Lora(Path(f"tiger-{each:02d}.safetensors"), each, 5, 1, "a" * 64, "b" * 64) for each in range(1, rows + 1)
    }
    shown = tuple(Row(each, None, f"epoch {each} is gone") if each in gone else Row(each, lora[each]) for each in lora)
    wanted = Wanted(read_prompts(samples, "tiger"), shown, tuple(weights), Base("kemono"), "tiger")
    blocks = lay_out(wanted, Shelf(folder))
    for picture in pictures_to_draw(blocks):
        weight = picture.loras[0].weight if picture.loras else 0.0
        Image.new("RGB", (picture.width, picture.height), COLOURS[list(weights).index(weight)]).save(picture.target)
    return blocks


def grid_of(blocks: Sequence[Block], folder: Path, training: Path | None = None) -> Image.Image:
    (path,) = write_grids(blocks, folder / "grid.png", training=training, model="kemono (1234567890)")
    with Image.open(path) as image:
        return image.convert("RGB")


def colour_at(image: Image.Image, layout: Layout, column: int, row: int) -> object:
    left, top = layout.corner(column, row)
    return image.getpixel((left + layout.cell[0] // 2, MARGIN + top + layout.cell[1] // 4))


def test_epochs_are_rows_and_weights_are_columns(tmp_path: Path) -> None:
    """Each cell shows its picture; that of weight 0, drawn once, stands in every row."""
    blocks = make_blocks(tmp_path, rows=3)
    layout = lay_out_block(blocks[0], training=None, model="kemono")
    image = grid_of(blocks, tmp_path)
    for row in range(3):
        assert [colour_at(image, layout, column, row) for column in range(3)] == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    assert len(pictures_to_draw(blocks)) == 1 + 2 * 3


def test_the_training_picture_is_at_the_left(tmp_path: Path) -> None:
    """In its own proportions, as high as a cell."""
    Image.new("RGB", (300, 600), "orange").save(tmp_path / "train.png")
    blocks = make_blocks(tmp_path, size=(512, 512))
    layout = lay_out_block(blocks[0], training=(300, 600), model="kemono")
    assert layout.training == (256, 512)
    image = grid_of(blocks, tmp_path, tmp_path / "train.png")
    assert image.getpixel((MARGIN + 128, MARGIN + layout.top + 256)) == (255, 165, 0)


@pytest.mark.parametrize("size", [(10, 4000), (4000, 10), (1, 1), (5000, 5000)])
def test_a_training_picture_of_any_shape_fits(tmp_path: Path, size: tuple[int, int]) -> None:
    """It is never higher than a cell, nor much wider."""
    Image.new("RGB", size, "orange").save(tmp_path / "train.png")
    blocks = make_blocks(tmp_path)
    layout = lay_out_block(blocks[0], training=size, model="kemono")
    assert 1 <= layout.training[0] <= layout.cell[0] * 1.26
    assert 1 <= layout.training[1] <= layout.cell[1]
    grid_of(blocks, tmp_path, tmp_path / "train.png")


def test_a_transparent_training_picture_is_on_white(tmp_path: Path) -> None:
    """No black where nothing was."""
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(tmp_path / "train.png")
    blocks = make_blocks(tmp_path)
    layout = lay_out_block(blocks[0], training=(64, 64), model="kemono")
    image = grid_of(blocks, tmp_path, tmp_path / "train.png")
    assert image.getpixel((MARGIN + 20, MARGIN + layout.top + 20)) == (255, 255, 255)


def test_a_training_picture_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    """The grid is the same as without one."""
    (tmp_path / "train.png").write_bytes(b"no picture")
    blocks = make_blocks(tmp_path)
    with_it, without = (grid_of(blocks, tmp_path, training) for training in (tmp_path / "train.png", None))
    assert ImageChops.difference(with_it, without).getbbox() is None


@pytest.mark.parametrize("rows", [1, 4, 40, 200])
@pytest.mark.parametrize("columns", [1, 3, 30])
@pytest.mark.parametrize("size", [(64, 64), (512, 720), (1536, 1024)])
def test_every_number_of_pictures_has_a_place(rows: int, columns: int, size: tuple[int, int], tmp_path: Path) -> None:
    """Nothing overlaps, nothing leaves the page, and no page is larger than viewers take."""
    samples = SamplesConfig(prompts=("a wolf",), width=size[0] // 8 * 8, height=size[1])
    weights = tuple(float(weight) for weight in range(1, columns + 1))
    shown = tuple(Row(each, None, "gone") for each in range(1, rows + 1))
    (block,) = lay_out(Wanted(read_prompts(samples, "t"), shown, weights, Base("m"), "t"), Shelf(tmp_path))
    layout = lay_out_block(block, training=(300, 400), model="m")
    width, height = layout.cell
    assert layout.gap > 0
    assert layout.left >= MARGIN + layout.training[0] + layout.labels
    right, bottom = (
        edge + side for edge, side in zip(layout.corner(columns - 1, rows - 1), (width, height), strict=True)
    )
    assert right <= layout.width - MARGIN
    assert bottom + len(layout.lines) * layout.leading <= layout.height
    assert layout.width <= LARGEST[0]
    assert layout.height <= LARGEST[1]
    if rows > 1:
        assert font(layout.head).getlength(f"epoch {rows}") < layout.labels


def test_a_small_picture_is_enlarged_by_a_whole_factor(tmp_path: Path) -> None:
    """64 pixels are shown as 256, so that labels have room and every pixel is seen."""
    assert lay_out_block(make_blocks(tmp_path)[0], training=None, model="m").cell == (256, 256)


def test_a_missing_picture_is_a_place_with_its_reason(tmp_path: Path) -> None:
    """An epoch without its LoRA, a file that is gone, one that is cut: each an empty cell, and no error."""
    blocks = make_blocks(tmp_path, rows=3, gone=(2,))
    (tmp_path / "tiger-01_w1_p1.png").unlink()
    (tmp_path / "tiger-03_w1_p1.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    layout = lay_out_block(blocks[0], training=None, model="kemono")
    image = grid_of(blocks, tmp_path)
    paper = (0xF3, 0xF4, 0xF6)
    assert [colour_at(image, layout, 2, row) for row in range(3)] == [paper] * 3
    assert [colour_at(image, layout, 1, row) for row in range(3)] == [(0, 255, 0), paper, (0, 255, 0)]
    assert {cell.reason for cell in blocks[0].cells.values() if cell.epoch == 2} == {"epoch 2 is gone"}


def test_prompts_stand_below_each_other(tmp_path: Path) -> None:
    """One picture with a block for each prompt."""
    one = grid_of(make_blocks(tmp_path, prompts=("a wolf",)), tmp_path)
    two = grid_of(make_blocks(tmp_path, prompts=("a wolf", "a tiger")), tmp_path)
    assert two.width == one.width
    assert two.height > 1.9 * (one.height - 2 * MARGIN)


def test_what_is_too_high_goes_on_in_another_file(tmp_path: Path) -> None:
    """Three blocks of 40 epochs: grid.png, grid-2.png, grid-3.png."""
    blocks = make_blocks(tmp_path, rows=40, weights=(0.5,), prompts=("a", "b", "c"))
    pages = write_grids(blocks, tmp_path / "grid.png", training=None, model="m")
    assert [page.name for page in pages] == ["grid.png", "grid-2.png", "grid-3.png"]


def test_a_picture_of_another_size_keeps_its_proportions(tmp_path: Path) -> None:
    """A server that gave 64 x 32 is not stretched."""
    blocks = make_blocks(tmp_path, weights=(1,))
    Image.new("RGB", (64, 32), "red").save(tmp_path / "tiger-01_w1_p1.png")
    layout = lay_out_block(blocks[0], training=None, model="m")
    image = grid_of(blocks, tmp_path)
    left, top = layout.corner(0, 0)
    assert image.getpixel((left + 5, MARGIN + top + 5)) == (255, 255, 255)
    assert image.getpixel((left + 128, MARGIN + top + 128)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three", ["one two", "three"]),
        ("", []),
        ("abcdefghij", ["abcdefgh", "ij"]),
        ("a\nb\tc\x00d", ["a b c d"]),
        ("aaaa bbbb cccc dddd eeee ffff gggg", ["aaaa", "bbbb", "cccc …"]),
    ],
)
def test_texts_are_wrapped(text: str, lines: list[str]) -> None:
    """At words where it can be, within a width of eight signs and three lines; what is cut ends in dots."""
    assert wrapped(text, lambda part: float(len(part)), 8, 3) == lines


def test_a_prompt_of_a_megabyte_is_no_hindrance(tmp_path: Path) -> None:
    """It is cut, in no time."""
    samples = SamplesConfig(prompts=("wolf " * 200_000,))
    (block,) = lay_out(
        Wanted(read_prompts(samples, "t"), (Row(1, None, "gone"),), (1.0,), Base("m"), "t"), Shelf(tmp_path)
    )
    lines = lay_out_block(block, training=None, model="m").lines
    assert len(lines) < 15
    assert lines[9][0].endswith("…")
