"""The norm of the update per block as a bar picture."""

import os
from collections.abc import Mapping
from pathlib import Path

from kohya_wrap.errors import OutputError
from kohya_wrap.files import output_error
from kohya_wrap.results.inspect.modules import block_order

_COLORS = ("#8e6c8a", "#3b7ea1", "#c4820e", "#3f8f5f", "#a3463c", "#6b7a8f", "#6b7a8f", "#999999")
_PARTS = ("text encoder", "down", "middle", "up", "double", "single", "layers", "other")


def draw_norms(blocks: Mapping[str, float], target: Path, *, title: str) -> Path:
    """Draw one bar per block, coloured by the part of the model, into a PNG or SVG, by `target`'s ending.

    The file appears whole or not at all; one that is there already is not replaced. Raises OutputError.
    """
    # 0.5 s to import, and only this picture needs it. The classes are used directly: pyplot would keep state.
    from matplotlib.figure import Figure  # noqa: PLC0415

    kind = target.suffix.lower().removeprefix(".")
    if kind not in {"png", "svg"}:
        raise OutputError("is neither .png nor .svg", where=str(target), todo="give the picture one of these endings")
    if target.exists():
        raise OutputError("is there already", where=str(target), todo="give another name, or remove it first")
    figure = Figure(figsize=(max(6.0, 0.42 * len(blocks) + 2), 4.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    parts = [block_order(block)[0] for block in blocks]
    axes.bar(range(len(blocks)), list(blocks.values()), color=[_COLORS[part] for part in parts], width=0.75)
    axes.set_xticks(range(len(blocks)), list(blocks), rotation=60 if len(blocks) > 20 else 0, fontsize=8)
    axes.set_xlim(-0.6, max(len(blocks), 1) - 0.4)
    axes.set_ylabel("norm of the update at weight 1")
    axes.set_title(title.replace("$", r"\$"), fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    _legend(axes, sorted(set(parts)))
    return _save(figure, target, kind)


def _legend(axes: object, parts: list[int]) -> None:
    from matplotlib.axes import Axes  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    if isinstance(axes, Axes) and len(parts) > 1:
        handles = [Patch(color=_COLORS[part], label=_PARTS[part]) for part in parts]
        axes.legend(handles=handles, frameon=False, fontsize=8, ncols=len(parts), loc="upper right")
        axes.margins(y=0.15)


def _save(figure: object, target: Path, kind: str) -> Path:
    from matplotlib.figure import Figure  # noqa: PLC0415

    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if isinstance(figure, Figure):
            figure.savefig(temporary, format=kind)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise output_error(error, target) from error
    return target
