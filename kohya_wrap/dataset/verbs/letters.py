"""A font that has the letters of a text: Pillow's own, which has ASCII and little more, else the one that has most."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_SIGNS = frozenset("‘’“”…™")
"""What Pillow's own font has beside ASCII."""
_REGULAR = (400, "normal", "regular")
_NAMES = (
    *("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans", "IPAexGothic", "IPAGothic", "VL Gothic"),
    *("TakaoGothic", "Hiragino Sans", "Yu Gothic", "Meiryo", "MS Gothic", "WenQuanYi Micro Hei", "Noto Sans CJK SC"),
    *("Noto Sans CJK KR", "Arial Unicode MS"),
)
"""In the order in which they are tried; DejaVu Sans comes with matplotlib."""


@cache
def font(size: int) -> "FreeTypeFont":
    """Give Pillow's own font, which needs no file of the system, in a size of pixels."""
    from PIL import ImageFont  # noqa: PLC0415 - only pictures need Pillow

    return ImageFont.load_default(size)  # type: ignore[return-value]  # FreeType's, as Pillow's wheels have it


def font_for(text: str, size: int) -> "FreeTypeFont":
    """Give a font of that size for a text. Letters that no font has are drawn as boxes."""
    foreign = frozenset(char for char in text if not char.isascii() and char not in _SIGNS)
    if not foreign:
        return font(size)
    charmaps = _charmaps()
    path = max(charmaps, key=lambda path: len(foreign & charmaps[path]), default="")
    return _opened(path, size) if path else font(size)


@cache
def _charmaps() -> "dict[str, frozenset[str]]":
    """Give the letters of each installed font that is known here, by its path."""
    # 0.5 s to import, and only texts of other scripts need it.
    from matplotlib.font_manager import fontManager  # noqa: PLC0415
    from matplotlib.ft2font import FT2Font  # noqa: PLC0415

    upright = [entry for entry in fontManager.ttflist if (entry.style, entry.stretch) == ("normal", "normal")]
    by_name = {entry.name: entry.fname for entry in upright if entry.weight in _REGULAR}
    paths = [by_name[name] for name in _NAMES if name in by_name]
    return {path: frozenset(map(chr, FT2Font(path).get_charmap())) for path in paths}


@cache
def _opened(path: str, size: int) -> "FreeTypeFont":
    from PIL import ImageFont  # noqa: PLC0415 - only pictures need Pillow

    return ImageFont.truetype(path, size)
