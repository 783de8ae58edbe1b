"""What the wrapper costs: start-up, command to LoRA against accelerate typed by hand, memory while training."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.bench

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))
PAIRS = 5


def seconds(argv: list[str], cwd: Path, env: dict[str, str] | None = None) -> float:
    started = time.perf_counter()
    completed = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout[-2000:] + completed.stderr[-2000:]
    return time.perf_counter() - started


def test_check_demo(tmp_path: Path) -> None:
    """`kohya-wrap check demo` takes under 0.5 s."""
    seconds([COMMAND, "check", "demo"], tmp_path)
    times = [seconds([COMMAND, "check", "demo"], tmp_path) for _ in range(9)]
    print(f"\nkohya-wrap check demo: median {statistics.median(times):.3f} s of {len(times)}")  # noqa: T201
    assert statistics.median(times) < 0.5


def by_hand(record: Path, work: Path) -> tuple[list[str], dict[str, str], Path]:
    """Give the command a user would type for the same two TOML files: the full `accelerate launch`."""
    content = json.loads(record.read_text())
    launch = content["launch"]
    argv: list[str] = launch["argv"]
    python = Path(argv[0])
    script = next(index for index, word in enumerate(argv) if word.endswith("train_network.py"))
    out = work / "out"
    out.mkdir(parents=True, exist_ok=True)
    training = work / "training_config.toml"
    old = Path(content["folder"]) / "output"
    training.write_text(launch["training_config"].replace(str(old), str(out)))
    dataset = work / "dataset_config.toml"
    dataset.write_text(launch["dataset_config"])
    accelerate = work / "accelerate.yaml"
    accelerate.write_text(launch["accelerate_config"])
    typed = [
        str(python.with_name("accelerate")),
        *("launch", "--config_file", str(accelerate), argv[script]),
        *("--config_file", str(training), "--dataset_config", str(dataset)),
    ]
    return typed, {**launch["env"], "PATH": os.environ["PATH"]}, Path(launch["cwd"])


def pairs(preset: str, extra: list[str], root: Path, count: int) -> tuple[list[float], list[float]]:
    """Time the wrapper and the command by hand in turn, `count` times, after one warm-up of the wrapper."""
    train = [COMMAND, "train", preset, *extra]
    seconds(train, root)
    (record, *_) = sorted((root / "Loras").glob("*/runs/*/run.json"))
    ours, theirs = [], []
    for index in range(count):
        typed, env, cwd = by_hand(record, root / f"hand-{index}")
        ours.append(seconds(train, root))
        theirs.append(seconds(typed, cwd, env))
    return ours, theirs


def report(title: str, ours: list[float], theirs: list[float]) -> float:
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ratios)
    print(  # noqa: T201
        f"\n{title}: kohya-wrap {statistics.median(ours):.1f} s, by hand {statistics.median(theirs):.1f} s, "
        f"ratio {ratio:.2f} (min {min(ratios):.2f}, max {max(ratios):.2f}, {len(ratios)} pairs)"
    )
    return ratio


def test_from_command_to_lora_on_the_demo(tmp_path: Path, engine_python: Path) -> None:
    """The demo through the wrapper is no slower than the same accelerate launch by hand."""
    assert engine_python.exists()
    assert report("demo, embedded engine", *pairs("demo", ["--set", "samples.prompts=[]"], tmp_path, PAIRS)) <= 1.0


def test_from_command_to_lora_with_sd_scripts(tmp_path: Path, sd15_run: list[str]) -> None:
    """The same for sd-scripts on random SD 1.5-sized weights."""
    sets = [word for override in sd15_run for word in ("--set", override)]
    assert report("one-image, sd-scripts", *pairs("one-image", sets, tmp_path, 2)) <= 1.0


def test_memory_of_the_wrapper_while_training(tmp_path: Path, engine_python: Path) -> None:
    """The wrapper's own peak memory over a demo run stays under 150 MB."""
    assert engine_python.exists()
    child = subprocess.Popen([COMMAND, "train", "demo"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    process, peak = psutil.Process(child.pid), 0
    while child.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss)
        except psutil.Error:
            break
        time.sleep(0.02)
    assert child.wait() == 0
    print(f"\nwrapper while training: peak {peak / 1e6:.0f} MB")  # noqa: T201
    assert peak < 150e6
