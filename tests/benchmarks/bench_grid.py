"""What a grid costs: one load of the model and one generation a picture, whatever the number of pictures."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kohya_wrap.engines.drawing.diffusers_drawer import DiffusersDrawer
from kohya_wrap.engines.drawing.types import Drawn, Picture

pytestmark = pytest.mark.bench

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))
MANY = 8


def type_command(root: Path, *words: str) -> float:
    began = time.perf_counter()
    done = subprocess.run([COMMAND, *words], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return time.perf_counter() - began


def log_of(folder: Path) -> tuple[int, float, list[float]]:
    """Give from drawing.log: how often the model was loaded, seconds of that, seconds of each picture."""
    said = [json.loads(line) for line in re.findall(r"^@drawing (.*)$", (folder / "drawing.log").read_text(), re.M)]
    loaded = [each["loaded"] for each in said if "loaded" in each]
    return len(loaded), sum(loaded), [each["seconds"] for each in said if "drawn" in each]


def report(title: str, times: dict[int, float], load: float, each: float) -> None:
    said = ", ".join(f"{count} in {seconds:.1f} s" for count, seconds in times.items())
    print(f"\n{title}: {said}; load {load:.1f} s, a picture {each:.2f} s")  # noqa: T201


def test_a_grid_of_the_demo(tmp_path: Path, engine_python: Path) -> None:
    """Two epochs and four weights cost what one picture costs, and seven generations; all by `lora grid`."""
    assert engine_python.exists()
    type_command(tmp_path, "train", "demo", "--set", "samples.prompts=[]", "--set", "steps.how_many=2")
    (run,) = (tmp_path / "Loras/demo/runs").iterdir()
    prompt = "demo_shape\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 64x64"
    times = {}
    for count, flags in (
        (1, ("--weights", "1", "--epochs", "last")),
        (MANY, ("--weights", "0.2,0.4,0.6,0.8", "--epochs", "all")),
    ):
        times[count] = type_command(tmp_path, "lora", "grid", run.name, "--prompt", prompt, *flags)
        loads, load, seconds = log_of(run / "samples")
        assert (loads, len(seconds)) == (1, count)
    each = max(seconds)
    report("grid on the demo's base", times, load, each)
    assert times[MANY] < times[1] + (MANY - 1) * each + 0.3 * times[1]


def test_a_grid_on_weights_of_sd15s_size(tmp_path: Path, sd15_base: Path, engine_python: Path) -> None:
    """Random SD 1.5 in fp16, 128x128, 4 steps: the same, with a model that takes seconds to load."""
    times = {}
    drawer = DiffusersDrawer(python=engine_python, base=sd15_base, folder=tmp_path / "log")
    for count in (1, 4):
        drawn: list[Drawn] = []
        began = time.perf_counter()
        drawer.draw([picture(tmp_path, count, seed) for seed in range(count)], on_drawn=drawn.append)
        times[count] = time.perf_counter() - began
        loads, load, seconds = log_of(tmp_path / "log")
        assert (loads, len(drawn)) == (1, count)
    report("grid on random weights of SD 1.5's size", times, load, max(seconds))
    assert times[4] < times[1] + 3 * max(seconds) + 0.3 * times[1]


def picture(folder: Path, count: int, seed: int) -> Picture:
    return Picture(
        target=folder / f"{count}-{seed}.png",
        prompt="a wolf",
        negative_prompt="",
        seed=seed,
        steps=4,
        cfg_scale=7,
        sampler="Euler",
        schedule="Automatic",
        width=128,
        height=128,
        clip_skip=1,
    )
