"""The most frequent tags as a bar picture."""

import logging
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kohya_wrap.errors import OutputError
from kohya_wrap.files import output_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BAR, _FIRST, _INK, _GREY, _TRACK = "#3a7ca5", "#d98e04", "#222222", "#6d6d6d", "#f1f2f4"
_FONTS = (
    *("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans", "IPAexGothic", "IPAGothic"),
    *("TakaoGothic", "VL Gothic", "Hiragino Sans", "Yu Gothic", "Meiryo", "MS Gothic", "WenQuanYi Micro Hei"),
    *("Noto Sans CJK SC", "Noto Sans CJK KR", "Arial Unicode MS", "Noto Emoji", "Segoe UI Emoji", "Symbola"),
)
"""The first that has a letter draws it."""
_LONGEST = 40
MOST_BARS = 200


@dataclass(frozen=True, slots=True)
class TagChart:
    """Where the picture is; `missing`: letters that no installed font has, drawn as boxes."""

    path: Path
    missing: str = ""


def draw_tags(counts: Mapping[str, int], target: Path, *, title: str, files: int, first: str = "") -> TagChart:
    """Draw a bar per tag, in the order given, its length the share of `files`; `first`: a tag to be marked.

    PNG or SVG by `target`'s ending; the file appears whole or not at all. Raises OutputError.
    """
    # 0.5 s to import, and only this picture needs it. The class is used directly: pyplot would keep state.
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.font_manager import fontManager  # noqa: PLC0415

    kind = target.suffix.lower().removeprefix(".")
    if kind not in {"png", "svg"}:
        raise OutputError("is neither .png nor .svg", where=str(target), todo="give the picture one of these endings")
    if target.exists():
        raise OutputError("is there already", where=str(target), todo="give another name, or remove it first")
    shown = dict(list(counts.items())[:MOST_BARS])
    installed = set(fontManager.get_font_names())
    with mpl.rc_context({"font.family": [name for name in _FONTS if name in installed] or ["sans-serif"]}):
        height = 0.24 * max(len(shown), 1)
        figure = Figure(figsize=(8.6, height + 1.15), dpi=140, facecolor="white")
        top = 1 - 0.85 / (height + 1.15)
        axes = figure.add_axes((0.32, 0.3 / (height + 1.15), 0.56, top - 0.3 / (height + 1.15)))
        _bars(axes, shown, files, first)
        line = 1 / (height + 1.15)
        figure.text(0.03, 1 - 0.34 * line, _plain(title), fontsize=13, fontweight="bold", color=_INK, va="center")
        more = f"the {len(shown)} most frequent of {len(counts)} tags" if len(shown) < len(counts) else ""
        noun = "caption file" if files == 1 else "caption files"
        subtitle = ", ".join(part for part in (f"{files} {noun}", more) if part)
        figure.text(0.03, 1 - 0.61 * line, subtitle, fontsize=9, color=_GREY, va="center")
        return TagChart(target, _save(figure, target, kind))


def _bars(axes: "Axes", counts: Mapping[str, int], files: int, first: str) -> None:
    places, numbers = range(len(counts)), list(counts.values())
    most = max([files, *numbers, 1])
    axes.barh(places, [most] * len(counts), height=0.72, color=_TRACK)
    axes.barh(places, numbers, height=0.72, color=[_FIRST if tag == first else _BAR for tag in counts])
    for place, number in zip(places, numbers, strict=True):
        text = f"{number}  {number / most:.0%}" if files else str(number)
        axes.annotate(text, (most, place), (5, 0), textcoords="offset points", va="center", fontsize=7.5, color=_GREY)
    axes.set_yticks(places, [_plain(tag) for tag in counts], color=_INK, fontsize=8.5)
    axes.set_ylim(max(len(counts), 1) - 0.4, -0.6)
    axes.set_xlim(0, most)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0, pad=6)
    axes.spines[:].set_visible(False)


def _plain(text: str) -> str:
    """Keep a tag from being read as a formula, and control characters from being drawn as boxes."""
    shown = "".join(letter for letter in text if letter.isprintable())
    return (shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…").replace("$", r"\$")


def _save(figure: object, target: Path, kind: str) -> str:
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    log = logging.getLogger("matplotlib.font_manager")  # it says for each font that it has no weight of that name
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            figure.savefig(temporary, format=kind)  # type: ignore[attr-defined]  # a Figure
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise output_error(error, target) from error
    finally:
        log.setLevel(level)
    codes = [str(each.message).split(maxsplit=2)[1] for each in caught if str(each.message).startswith("Glyph ")]
    return "".join(dict.fromkeys(chr(int(code)) for code in codes))
