"""The norm of the update per block as a bar picture."""

import math
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kohya_wrap.errors import OutputError
from kohya_wrap.files import output_error
from kohya_wrap.results.inspect.modules import block_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLORS = ("#8d6a9f", "#3a7ca5", "#d98e04", "#3f8f5f", "#a3463c", "#6b7a8f", "#6b7a8f", "#9a9a9a")
_PARTS = ("text encoder", "down blocks", "middle", "up blocks", "double blocks", "single blocks", "layers", "other")
_INK, _GREY, _LINE = "#222222", "#6d6d6d", "#e4e4e4"
_MOST_LABELS = 26
"""Above this many bars the numbers over them would touch."""


def draw_norms(blocks: Mapping[str, float], target: Path, *, title: str, subtitle: str = "") -> Path:
    """Draw one bar per block, coloured by the part of the model, into a PNG or SVG, by `target`'s ending.

    The file appears whole or not at all; one that is there already is not replaced. Raises OutputError.
    """
    # 0.5 s to import, and only this picture needs it. The class is used directly: pyplot would keep state.
    from matplotlib.figure import Figure  # noqa: PLC0415

    kind = target.suffix.lower().removeprefix(".")
    if kind not in {"png", "svg"}:
        raise OutputError("is neither .png nor .svg", where=str(target), todo="give the picture one of these endings")
    if target.exists():
        raise OutputError("is there already", where=str(target), todo="give another name, or remove it first")
    figure = Figure(figsize=(min(max(7.0, 0.5 * len(blocks) + 1.5), 14.0), 4.4), dpi=140, layout="constrained")
    axes = figure.add_subplot()
    _bars(axes, blocks)
    _frame(axes, blocks)
    above: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate(_plain(title), (0, 1), (0, 29), fontsize=12, fontweight="bold", color=_INK, **above)
    axes.annotate(_plain(subtitle), (0, 1), (0, 12), fontsize=9, color=_GREY, **above)
    return _save(figure, target, kind)


def _bars(axes: "Axes", blocks: Mapping[str, float]) -> None:
    parts = [block_order(block)[0] for block in blocks]
    norms = list(blocks.values())
    digits = max(0, 1 - math.floor(math.log10(max(norms, default=0) or 1)))
    for part in sorted(set(parts)):
        places = [place for place, its in enumerate(parts) if its == part]
        heights = [norms[place] for place in places]
        axes.bar(places, heights, width=0.78, color=_COLORS[part], label=_PARTS[part])
    if len(blocks) <= _MOST_LABELS:
        for place, norm in enumerate(norms):
            axes.annotate(
                f"{norm:.{digits}f}",
                (place, norm),
                (0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=7,
                color=_GREY,
            )
    if len(set(parts)) > 1:
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1.01, 1.02),
            ncols=len(_PARTS),
            frameon=False,
            fontsize=8,
            handlelength=1.0,
        )


def _frame(axes: "Axes", blocks: Mapping[str, float]) -> None:
    crowded = len(blocks) > _MOST_LABELS
    axes.set_xticks(range(len(blocks)), list(blocks), rotation=90 if crowded else 0)
    axes.set_xlim(-0.6, max(len(blocks), 1) - 0.4)
    axes.set_ylim(0, max(blocks.values(), default=0) * 1.08 or 1)
    axes.set_ylabel("norm of the update at weight 1", fontsize=8.5, color=_GREY)
    axes.tick_params(axis="both", length=0, colors=_GREY, labelsize=7 if crowded else 8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_GREY)
    axes.grid(axis="y", color=_LINE, linewidth=0.8)
    axes.set_axisbelow(True)


def _plain(text: str) -> str:
    """Keep a stranger's text from being read as a formula, and control characters from being drawn as boxes."""
    return "".join(letter for letter in text if letter.isprintable())[:120].replace("$", r"\$")


def _save(figure: "Figure", target: Path, kind: str) -> Path:
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a name in a script it lacks
            figure.savefig(temporary, format=kind)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise output_error(error, target) from error
    return target
