"""Curate on 100,000 caption files, with a history that gives them back, against the notebook's loop in place."""

import os
import random
import time
from pathlib import Path

import pytest

from kohya_wrap.dataset.history import place_of
from kohya_wrap.dataset.tag_text import join_tags, split_tags
from kohya_wrap.dataset.verbs.curate import CurateOptions, curate, curate_tags

pytestmark = pytest.mark.bench

FILES = 100_000
OPTIONS = CurateOptions(global_activation_tag=("tiger",), remove_tags=("tag 1", "tag 2"), remove_duplicates=True)


def make(folder: Path) -> None:
    folder.mkdir(parents=True)
    draw = random.Random(42)  # noqa: S311 - the same every time, no secret
    words = [f"tag {number}" for number in range(2000)]
    for number in range(FILES):
        (folder / f"{number:06d}.txt").write_text(", ".join(draw.choices(words, k=25)), encoding="utf-8")


def in_place(folder: Path) -> None:
    """Open, read, change, write over: what the notebook did, which loses a file when it is stopped in between."""
    for path in folder.iterdir():
        with path.open(encoding="utf-8") as file:
            tags = split_tags(file.read())
        with path.open("w", encoding="utf-8") as file:
            file.write(join_tags(curate_tags(tags, OPTIONS).tags))


def timed(work: object, *arguments: object) -> tuple[float, float]:
    """Give seconds by the clock, and seconds of the processor."""
    before, started = os.times(), time.perf_counter()
    work(*arguments)  # type: ignore[operator]
    wall, after = time.perf_counter() - started, os.times()
    return wall, after.user + after.system - before.user - before.system


def test_curate_100_000_files(tmp_path: Path) -> None:
    """Every file is rewritten under 15 s, the old ones kept."""
    make(tmp_path / "notebook")
    plain = timed(in_place, tmp_path / "notebook")
    make(tmp_path / "ours")
    ours = timed(curate, place_of("./ours", root=tmp_path), OPTIONS)
    again = timed(curate, place_of("./ours", root=tmp_path), OPTIONS)
    print(  # noqa: T201
        f"\ncurate, {FILES} files: {ours[0]:.1f} s ({ours[1]:.1f} s of CPU) with all kept; "
        f"in place as the notebook, nothing kept: {plain[0]:.1f} s ({plain[1]:.1f} s of CPU); "
        f"again with nothing to change: {again[0]:.1f} s"
    )
    assert ours[0] < 15
