"""The main job on a real engine: the demo preset, as a newcomer types it."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from PIL import Image

from kohya_wrap import Event, KohyaWrapError, plan, run
from kohya_wrap.errors import LossNotFiniteError
from kohya_wrap.events import CheckpointSaving, EpochStarted, ModelSaved, Phase, Step
from kohya_wrap.results.lora_file import read_lora
from kohya_wrap.results.parameters import read_parameters

pytestmark = pytest.mark.engine

COMMAND = (str(Path(sys.executable).with_name("kohya-wrap")),)
NO_PICTURES = "samples.prompts=[]"
FAST = ("steps.how_many=1", "steps.num_repeats=2", NO_PICTURES)


@dataclass(frozen=True)
class Typed:
    """A command that was typed, and what it left."""

    root: Path
    completed: subprocess.CompletedProcess[str]

    @property
    def record(self) -> dict[str, object]:
        """The newest run's record."""
        newest = max((self.root / "Loras/demo/runs").iterdir())
        return dict(json.loads((newest / "run.json").read_text(encoding="utf-8")))


def type_command(root: Path, *arguments: str) -> Typed:
    completed = subprocess.run([*COMMAND, *arguments], cwd=root, capture_output=True, text=True, check=False)
    return Typed(root, completed)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, engine_python: Path) -> Typed:
    """The demo as it is, once for all tests of this module."""
    assert engine_python.exists()
    return type_command(tmp_path_factory.mktemp("demo"), "train", "demo")


@pytest.fixture(scope="module")
def again(demo: Typed) -> Typed:
    """The same command a second time in the same folder."""
    return type_command(demo.root, "train", "demo", "--set", NO_PICTURES)


def test_the_demo_succeeds_and_says_what_it_left(demo: Typed) -> None:
    """Exit code 0; the last lines name LoRAs, record and log, and the very last one the grid of test pictures."""
    assert demo.completed.returncode == 0, demo.completed.stderr + demo.completed.stdout
    last = demo.completed.stdout.splitlines()[-10:]
    assert last[-1].startswith("grid ")
    assert last[-1].endswith("grid.png")
    assert any("demo-04.safetensors" in line for line in last)
    assert any("run.json" in line for line in last)
    assert any("train.log" in line for line in last)


def test_epochs_are_named_as_in_the_tutorial(demo: Typed) -> None:
    """NAME-01 … NAME-04, the last epoch included, and nothing else."""
    names = sorted(path.name for path in (demo.root / "Loras/demo/output").iterdir())
    assert names == [f"demo-{epoch:02d}.safetensors" for epoch in range(1, 5)]


def test_the_demo_draws_its_grid(demo: Typed) -> None:
    """Four epochs at two weights, and the base model once; each picture tells how it was made, and the LoRA is seen."""
    samples = demo.record["samples"]
    assert isinstance(samples, dict)
    assert (len(samples["pictures"]), samples["error"]) == (4 * 2 + 1, "")
    (grid,) = map(Path, samples["grids"])
    with Image.open(grid) as image:
        assert image.width > 720
    said = read_parameters(grid.with_name("demo-04_w1_p1.png"))
    assert said.prompt.endswith("<lora:demo-04:1>")
    assert (said.steps, said.seed, said.size) == (6, 42, (64, 64))
    pixels = {path.name: path.read_bytes() for path in grid.parent.glob("demo*.png")}
    assert len(set(pixels.values())) == 9
    with Image.open(grid.with_name("demo_w0_p1.png")) as base, Image.open(grid.with_name("demo-04_w1_p1.png")) as ours:
        assert base.tobytes() != ours.tobytes()


def test_a_picture_that_is_gone_is_drawn_again_the_same(demo: Typed) -> None:
    """`lora grid demo` draws the one that is missing, bit by bit as before, and leaves the others."""
    folder = max((demo.root / "Loras/demo/runs").glob("*/samples"))
    lost = folder / "demo-02_w0.5_p1.png"
    before = lost.read_bytes()
    lost.unlink()
    done = type_command(demo.root, "lora", "grid", folder.parent.name).completed
    assert done.returncode == 0, done.stderr
    assert "1 picture to draw, 8 there already" in done.stdout
    assert lost.read_bytes() == before


def test_the_steps_grow_with_the_epochs(demo: Typed) -> None:
    """Each LoRA says how long it was trained: a quarter of the run more each time."""
    steps = [read_lora(demo.root / f"Loras/demo/output/demo-{epoch:02d}.safetensors").steps for epoch in range(1, 5)]
    assert steps == [steps[0] * epoch for epoch in range(1, 5)]
    assert steps[0] > 0


def test_the_record_is_closed_and_complete(demo: Typed) -> None:
    """Status, counts, versions, both TOMLs, hashes of what went in and came out."""
    record = demo.record
    assert record["status"] == "succeeded"
    counts, engine, launch = record["counts"], record["engine"], record["launch"]
    assert isinstance(counts, dict)
    assert isinstance(engine, dict)
    assert isinstance(launch, dict)
    assert counts["done_steps"] == counts["planned_steps"] > 0
    assert engine["name"] == "embedded"
    assert "torch" in engine["versions"]
    assert "network_dim" in launch["training_config"]
    assert "image_dir" in launch["dataset_config"]
    assert launch["env"]["PYTHONUNBUFFERED"] == "1"
    for key in ("dataset", "loras"):
        entries = record[key]
        assert isinstance(entries, list)
        assert entries
        assert all(len(entry["sha256"]) == 64 for entry in entries)
    base = record["base_model"]
    assert isinstance(base, dict)
    assert base["sha256"] or base["files"]


def test_the_loss_of_every_step_is_kept(demo: Typed) -> None:
    """losses.csv has a row per step, counted from 1 without a gap."""
    losses, counts = demo.record["losses"], demo.record["counts"]
    assert isinstance(losses, dict)
    assert isinstance(counts, dict)
    with Path(str(losses["path"])).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, counts["planned_steps"] + 1))
    assert all(float(row["loss"]) > 0 for row in rows)


def test_the_same_preset_twice_gives_the_same_tensors(demo: Typed, again: Typed) -> None:
    """Bit-identical tensors, epoch by epoch, though the files' metadata differ."""
    assert again.completed.returncode == 0, again.completed.stderr
    folders = sorted((demo.root / "Loras/demo/runs").iterdir())
    first, second = (json.loads((folder / "run.json").read_text())["loras"] for folder in folders)
    assert [lora["tensors_sha256"] for lora in first] == [lora["tensors_sha256"] for lora in second]
    assert [lora["sha256"] for lora in first] != [lora["sha256"] for lora in second]


def test_a_second_run_overwrites_nothing(again: Typed) -> None:
    """The second run's LoRAs have a folder of their own, named after the run."""
    output = again.root / "Loras/demo/output"
    (folder,) = [path for path in output.iterdir() if path.is_dir()]
    assert folder.name == again.record["id"]
    assert len(list(output.glob("*.safetensors"))) == len(list(folder.glob("*.safetensors"))) == 4


def test_runs_list_and_show_know_them(demo: Typed, again: Typed) -> None:
    """Both runs are listed with their status; `show demo` is the newest."""
    listed = type_command(demo.root, "runs", "list").completed.stdout.splitlines()
    assert len(listed) == 2
    assert all("succeeded" in line for line in listed)
    shown = type_command(demo.root, "runs", "show", "demo").completed.stdout
    assert str(again.record["id"]) in shown


def test_python_gets_the_same_as_the_command_line(tmp_path: Path) -> None:
    """run() returns LoRAs, losses, record and paths, and the events come in order."""
    events: list[Event] = []
    result = run("demo", root=tmp_path, overrides=FAST, on_event=events.append)
    assert [lora.path.name for lora in result.loras] == ["demo-01.safetensors"]
    assert len(result.losses) == result.record.counts.planned_steps
    assert result.paths.record.is_file()
    kinds = [type(event) for event in events]
    for kind in (Phase, EpochStarted, Step, CheckpointSaving, ModelSaved):
        assert kind in kinds
    assert kinds.index(EpochStarted) < kinds.index(CheckpointSaving) < kinds.index(ModelSaved)
    steps = [event.step for event in events if isinstance(event, Step)]
    assert steps == sorted(steps)


def test_plan_touches_nothing(tmp_path: Path) -> None:
    """plan() of a fresh folder leaves it empty."""
    planned = plan("demo", root=tmp_path)
    assert planned.steps.total_steps > 0
    assert list(tmp_path.iterdir()) == []


def test_keep_only_last_counts_the_last_epoch(tmp_path: Path) -> None:
    """Of three epochs, keeping two leaves the second and the third."""
    overrides = ("steps.how_many=3", "steps.num_repeats=1", "steps.keep_only_last_n_epochs=2", NO_PICTURES)
    planned = plan("demo", root=tmp_path, overrides=overrides)
    result = run(planned)
    assert [lora.path.name for lora in result.loras] == ["demo-02.safetensors", "demo-03.safetensors"]
    assert tuple(lora.path.name for lora in result.loras) == planned.lora_names


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    """A learning rate of 1e30 gives nan: the run stops, says so, and its record is closed as failed."""
    with pytest.raises(LossNotFiniteError, match="the loss became nan"):
        run("demo", root=tmp_path, overrides=("learning.unet_lr=1e30", "steps.how_many=20"))
    (record,) = tmp_path.glob("Loras/demo/runs/*/run.json")
    content = json.loads(record.read_text())
    assert (content["status"], content["error"]["exit_code"]) == ("failed", 29)
    assert descendants() == []


@pytest.fixture
def running(tmp_path: Path, engine_python: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A demo that is in the middle of its training."""
    assert engine_python.exists()
    child = subprocess.Popen(
        [*COMMAND, "train", "demo", "--set", "steps.how_many=400"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("saved demo-000002"):
            break
    yield child, tmp_path
    child.kill()
    child.wait()
    child.stdout.close()


def descendants(pid: int | None = None) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def gone(processes: list[psutil.Process], seconds: float = 15.0) -> bool:
    return not psutil.wait_procs(processes, timeout=seconds)[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopping_keeps_what_was_saved(running: tuple[subprocess.Popen[str], Path], number: signal.Signals) -> None:
    """Ctrl-C and its like: exit code 130, no process left, the saved epochs published, the record interrupted."""
    child, root = running
    engine = descendants(child.pid)
    assert engine
    os.kill(child.pid, number)
    assert child.wait(timeout=40) == 130
    assert gone(engine)
    (record,) = root.glob("Loras/demo/runs/*/run.json")
    content = json.loads(record.read_text())
    assert content["status"] == "interrupted"
    assert [Path(lora["path"]).name for lora in content["loras"]][:2] == ["demo-01.safetensors", "demo-02.safetensors"]
    assert content["losses"]["steps"] > 0


def test_a_killed_wrapper_reads_as_crashed_and_leaves_no_orphan(running: tuple[subprocess.Popen[str], Path]) -> None:
    """SIGKILL of the wrapper takes the engine with it; the open record is not believed."""
    child, root = running
    engine = descendants(child.pid)
    child.kill()
    child.wait()
    assert gone(engine)
    shown = type_command(root, "runs", "list").completed.stdout
    assert "crashed" in shown


def test_two_runs_of_one_project_do_not_mix(running: tuple[subprocess.Popen[str], Path]) -> None:
    """The second one is refused with its own exit code while the first goes on."""
    child, root = running
    second = type_command(root, "train", "demo")
    assert second.completed.returncode == 14
    assert "another run of this project" in second.completed.stderr
    assert child.poll() is None


def test_a_killed_engine_is_said(running: tuple[subprocess.Popen[str], Path]) -> None:
    """When something kills the trainer, the run fails with the exit code for that."""
    child, root = running
    for process in reversed(descendants(child.pid)):
        process.kill()
    deadline = time.monotonic() + 30
    assert child.wait(timeout=30) == 28, f"after {time.monotonic() - deadline + 30:.0f} s"
    (record,) = root.glob("Loras/demo/runs/*/run.json")
    assert json.loads(record.read_text())["status"] == "failed"


def test_no_secret_reaches_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the environment stands in no file of the run."""
    secret = "hf_thisisasecretoken0123456789"
    for name in ("HF_TOKEN", "CIVITAI_API_TOKEN", "WANDB_API_KEY"):
        monkeypatch.setenv(name, secret)
    run("demo", root=tmp_path, overrides=FAST)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if secret.encode() in path.read_bytes()] == []


def test_every_problem_comes_at_once(tmp_path: Path) -> None:
    """Pictures and base model are both wrong: one error names both, and nothing is written."""
    overrides = ("setup.optional_custom_training_model_url=none.safetensors", "dataset.images=none.png")
    with pytest.raises(KohyaWrapError) as caught:
        run("demo", root=tmp_path, overrides=overrides)
    text = str(caught.value)
    assert "none.safetensors" in text
    assert "none.png" in text
    assert list(tmp_path.iterdir()) == []
