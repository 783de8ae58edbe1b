"""A base model of SD 1.5's size as a diffusers folder and as a single file: what each costs, and what it draws."""

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kohya_wrap.engines.drawing.diffusers_drawer import DiffusersDrawer
from kohya_wrap.engines.drawing.types import Drawn, Picture

pytestmark = pytest.mark.bench

TOOL = "tools/convert_diffusers20_original_sd.py"
CONVERT = (
    "import runpy, sys; sys.path.insert(0, '.'); sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')"
)
"""Runs one of sd-scripts' tools from its checkout."""


def draw(title: str, drawer: DiffusersDrawer, target: Path) -> bytes:
    """Draw 128x128 in 3 steps, say what it cost, and give the PNG."""
    picture = Picture(target, "a tiger", "", 1, 3, 7, "Euler a", "Automatic", 128, 128, clip_skip=2)
    drawn: list[Drawn] = []
    started = time.perf_counter()
    drawer.draw([picture], on_drawn=drawn.append)
    load = time.perf_counter() - started - drawn[0].seconds
    print(f"\n{title}: {load:.1f} s to start and load, {drawn[0].seconds:.1f} s for 128x128 in 3 steps")  # noqa: T201
    return target.read_bytes()


def test_a_single_file_draws_what_its_folder_draws(
    engine_python: Path, sd15_base: Path, sd15_tokenizers: Path, sd_scripts_checkout: Path, tmp_path: Path
) -> None:
    """sd-scripts' own tool makes the file; the same seed gives the same picture, bit by bit."""
    file = tmp_path / "single.safetensors"
    argv = (str(engine_python), "-c", CONVERT, TOOL, str(sd15_base), str(file), "--v1", "--fp16")
    subprocess.run(argv, cwd=sd_scripts_checkout, check=True, capture_output=True)
    folder = DiffusersDrawer(engine_python, sd15_base, tmp_path / "job", use_cpu=True)
    single = replace(folder, base=file, tokenizers=sd15_tokenizers)
    assert draw("folder", folder, tmp_path / "a.png") == draw("single file", single, tmp_path / "b.png")
