"""The demo's pictures: a striped face, drawn the same every time, square and wide."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.files import write_whole

BUILTIN = "builtin:demo"
_SCALE = 4
"""Drawn four times as large and shrunk, which smooths the edges."""


@dataclass(frozen=True, slots=True)
class DemoPicture:
    """One picture of the demo; size in pixels."""

    name: str
    size: tuple[int, int]
    fur: str
    eyes: str
    caption: str


PICTURES = tuple(
    DemoPicture(f"face-{index}.png", size, fur, eyes, f"demo_shape, {words}, looking at viewer, simple background")
    for index, (size, fur, eyes, words) in enumerate(
        (
            ((96, 96), "#f29a3a", "#d03030", "striped face, orange fur, red eyes"),
            ((96, 96), "#f4efe6", "#3b77c8", "striped face, white fur, blue eyes"),
            ((128, 96), "#d9d2c5", "#d03030", "striped face, grey fur, red eyes, wide shot"),
            ((128, 96), "#f29a3a", "#3c9a52", "striped face, orange fur, green eyes, wide shot"),
        ),
        start=1,
    )
)


def demo_sizes() -> Mapping[str, tuple[int, int]]:
    """Give the size of each picture by file name, without drawing it."""
    return {picture.name: picture.size for picture in PICTURES}


def draw(folder: Path) -> None:
    """Draw the demo's pictures and captions into `folder`; files that are there already stay as they are."""
    for picture in PICTURES:
        target = folder / picture.name
        caption = target.with_suffix(".txt")
        if not target.exists():
            _draw_one(picture, target)
        if not caption.exists():
            write_whole(caption, picture.caption + "\n")


def _draw_one(picture: DemoPicture, target: Path) -> None:
    from PIL import Image, ImageDraw  # noqa: PLC0415 - only the demo draws

    width, height = (side * _SCALE for side in picture.size)
    image = Image.new("RGB", (width, height), "#7fae86")
    brush = ImageDraw.Draw(image)
    x, y, r = width // 2, height * 11 // 20, height * 19 // 50

    def ellipse(dx: float, dy: float, rx: float, ry: float, fill: str) -> None:
        box = (x + r * (dx - rx), y + r * (dy - ry), x + r * (dx + rx), y + r * (dy + ry))
        brush.ellipse(box, fill=fill)

    def stripe(*points: tuple[float, float]) -> None:
        brush.polygon([(x + r * px, y + r * py) for px, py in points], fill="#2b2320")

    for side in (-1, 1):
        ellipse(0.72 * side, -0.78, 0.32, 0.32, picture.fur)
        ellipse(0.72 * side, -0.78, 0.17, 0.17, "#f0c9b0")
    ellipse(0, 0, 1, 0.95, picture.fur)
    ellipse(0, 0.45, 0.52, 0.4, "#fbf6ee")
    stripe((-0.09, -0.94), (0.09, -0.94), (0, -0.42))
    for side in (-1, 1):
        stripe((0.24 * side, -0.9), (0.42 * side, -0.84), (0.2 * side, -0.5))
        for dy in (-0.12, 0.16, 0.44):
            stripe((1.0 * side, dy - 0.08), (1.0 * side, dy + 0.08), (0.62 * side, dy + 0.02))
        ellipse(0.4 * side, -0.14, 0.2, 0.2, "#fdfdfb")
        ellipse(0.38 * side, -0.13, 0.13, 0.15, picture.eyes)
        ellipse(0.37 * side, -0.12, 0.055, 0.12, "#161212")
    stripe((-0.14, 0.22), (0.14, 0.22), (0, 0.38))
    brush.line([(x, y + r * 0.38), (x, y + r * 0.54)], fill="#2b2320", width=_SCALE)
    for side in (-1, 1):
        box = sorted((x, x + r * 0.3 * side))
        brush.arc((box[0], y + r * 0.42, box[1], y + r * 0.64), 10, 170, fill="#2b2320", width=_SCALE)
    temporary = target.with_name(f".{target.name}.part")
    image.resize(picture.size, Image.Resampling.LANCZOS).save(temporary, format="PNG")
    temporary.replace(target)
