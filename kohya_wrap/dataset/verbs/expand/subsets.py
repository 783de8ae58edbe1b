"""How often each kind of picture is shown, so that ten crops of a picture do not outweigh the picture."""

import json
from collections.abc import Mapping
from pathlib import Path


def balanced_repeats(counts: Mapping[str, int], num_repeats: int) -> dict[str, int]:
    """Share what an epoch shows of the first subset (its pictures x `num_repeats`) among all subsets alike.

    `counts`: pictures per subset, the unchanged pictures first. Each gets at least 1, to the nearest whole number.
    """
    filled = {name: count for name, count in counts.items() if count}
    if not filled:
        return {}
    share = next(iter(filled.values())) * num_repeats / len(filled)
    return {name: max(1, int(share / count + 0.5)) for name, count in filled.items()}


def subsets_toml(folder: Path, repeats: Mapping[str, int]) -> str:
    """Write the subsets as text for extras.custom_dataset; a subset's name is its sub-folder, "" the folder itself."""
    lines = ["[[datasets]]"]
    for name, number in repeats.items():
        place = json.dumps(str(folder / name if name else folder), ensure_ascii=False)
        lines += ["", "[[datasets.subsets]]", f"image_dir = {place}", f"num_repeats = {number}"]
    return "\n".join(lines) + "\n"
