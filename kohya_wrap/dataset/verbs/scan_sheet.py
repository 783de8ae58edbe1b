"""A scan as a picture: the mean of all pictures, then each with its size, bucket and what was found wrong with it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kohya_wrap.dataset.buckets import bucket_of
from kohya_wrap.dataset.findings import FINDINGS
from kohya_wrap.dataset.verbs.parallel import Report, in_threads, no_report
from kohya_wrap.dataset.verbs.reading import UNREADABLE, opened, shown_small
from kohya_wrap.dataset.verbs.scan import Scanned
from kohya_wrap.dataset.verbs.sheet import AMBER, RED, Cell, draw_sheet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

MEAN_SIDE = 256
_SHOWN = 320


def mean_picture(pictures: Sequence[Path], *, report: Report = no_report) -> "Image | None":
    """Give the mean of all pictures, each stretched to 256 x 256; None where none can be read.

    What it shows clearly is the same everywhere: a border, a watermark, a pose that the LoRA will learn with the rest.
    """
    import numpy as np  # noqa: PLC0415 - 0.1 s to import
    from PIL import Image  # noqa: PLC0415 - only a dataset needs Pillow

    total, count = np.zeros((MEAN_SIDE, MEAN_SIDE, 3), np.float64), 0
    for pixels in in_threads(_square, pictures, label="averaging", report=report):
        if pixels is not None:
            total += pixels
            count += 1
    return Image.fromarray((total / count + 0.5).astype(np.uint8)) if count else None


def _square(path: Path) -> "NDArray[np.uint8] | None":
    import numpy as np  # noqa: PLC0415 - 0.1 s to import

    try:
        with opened(path) as image:
            return np.asarray(shown_small(image, MEAN_SIDE).resize((MEAN_SIDE, MEAN_SIDE)))
    except UNREADABLE:
        return None


def scan_sheet(scanned: Scanned, *, mean: "Image | None" = None, report: Report = no_report) -> "Image":
    """Draw up to 320 pictures, those with findings first; red: errors, orange: warnings; and the mean of all."""
    codes = _codes(scanned)
    every = sorted({*scanned.sizes, *codes})
    order = sorted(every, key=lambda path: (_rank(codes.get(path, ())), path))
    shown = order if len(order) <= _SHOWN else _chosen(order, codes)
    title = f"{scanned.folder.parent.name if scanned.folder.name == 'dataset' else scanned.folder.name}"
    side = "x".join(map(str, scanned.rules.resolution))
    below = f"{len(every)} pictures, trained at {side}"
    if codes:
        below += f"   ·   {len(codes)} with findings, which come first"
    if len(shown) < len(order):
        below += f"   ·   {len(shown)} are shown"
    blocks = [[Cell(mean, ("mean of all pictures", f"{MEAN_SIDE} x {MEAN_SIDE}"))]] if mean else []
    groups: dict[bool, list[Cell]] = defaultdict(list)
    for path in shown:
        groups[path not in codes].append(_cell(path, scanned, codes.get(path, ())))
    blocks += [groups[well] for well in (False, True) if groups[well]]
    return draw_sheet(title, below, blocks, report=report)


def _codes(scanned: Scanned) -> Mapping[Path, list[str]]:
    """Give the findings of each picture; those about a whole folder are not drawn, save for these two."""
    codes: dict[Path, list[str]] = {path: ["upscaled"] for path in scanned.upscaled}
    for path in scanned.silent:
        codes.setdefault(path, []).insert(0, "caption-missing")
    for problem in scanned.findings:
        path = Path(problem.where)
        known = path in scanned.sizes or problem.code in ("zero-bytes", "not-a-picture", "truncated", "too-many-pixels")
        if known and problem.code not in codes.get(path, ()):
            codes.setdefault(path, []).insert(0, problem.code)
    return codes


def _rank(codes: Sequence[str]) -> int:
    if not codes:
        return 2
    return 0 if any(FINDINGS[code].severity == "error" for code in codes) else 1


def _chosen(order: Sequence[Path], codes: Mapping[Path, Sequence[str]]) -> list[Path]:
    """Give those with findings, up to half of the places, and others from all over the dataset."""
    found = [path for path in order if path in codes][: _SHOWN // 2]
    well = [path for path in order if path not in codes]
    places = _SHOWN - len(found)
    step = max(1.0, len(well) / places)
    return found + [well[int(at * step)] for at in range(min(places, len(well)))]


def _cell(path: Path, scanned: Scanned, codes: Sequence[str]) -> Cell:
    size = scanned.sizes.get(path)
    text = "no size"
    if size:
        bucket = bucket_of(size, scanned.rules) if scanned.buckets else (0, 0)
        text = f"{size[0]}x{size[1]} in {bucket[0]}x{bucket[1]}"
    frame = "" if not codes else RED if _rank(codes) == 0 else AMBER
    return Cell(path, (path.name, text), frame, ", ".join(codes))
