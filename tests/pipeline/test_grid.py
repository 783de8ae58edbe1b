"""Test pictures as they are typed: after a training, and by `lora grid`, in real processes that draw one colour."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers_faults import AT_FAULT, COMMAND, EPOCHS, WAIT, Broken, make_broken, send, wait_until
from helpers_samples import RUN, make_run
from PIL import Image
from typer.testing import CliRunner

from kohya_wrap.cli.main import app
from kohya_wrap.config.samples import SamplesConfig
from kohya_wrap.errors import KohyaWrapError
from kohya_wrap.results.parameters import read_parameters

EACH = EPOCHS + 1
"""Pictures of one prompt: weight 0 once, weight 1 for each epoch."""
HOLD_AT = WAIT.replace("before_step(step)", "before_picture(step)")


@pytest.fixture
def drawing(tmp_path: Path) -> Broken:
    """Give the demo on a fake engine, with two prompts to draw."""
    (tmp_path / "root").mkdir()
    prompts = 'samples.prompts=["a tiger", "a wolf <lora:demo:0.7>"]'
    return make_broken(tmp_path / "root", tmp_path / "engine", prompts, "samples.weights=[0, 1]")


def pictures(folder: Path) -> dict[str, int]:
    """Give name and time of every test picture, without the grids."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("samples/[!g]*.png")}


@dataclass(frozen=True)
class Typed:
    """What a command printed, and its exit code."""

    code: int
    stdout: str
    stderr: str


def lora_grid(root: Path, *arguments: str) -> Typed:
    """Type the verb, with a cache of its own."""
    return type_here(root, "lora", "grid", *arguments, env={"KOHYA_WRAP_HOME": str(root / "cache")})


def type_here(root: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Typed:
    """Type a command, in this process; there is no terminal to ask on."""
    with chdir(root):
        done = CliRunner().invoke(app, arguments, env=env)
    error = done.exception
    assert error is None or isinstance(error, KohyaWrapError | SystemExit), done.exc_info
    if isinstance(error, KohyaWrapError):
        return Typed(error.exit_code, done.stdout, f"{done.stderr}{error}")
    return Typed(done.exit_code, done.stdout, done.stderr)


def test_drawing_that_fails_does_not_fail_the_training(drawing: Broken) -> None:
    """Exit code 0 and a record that succeeded; the warning names the command, and that command draws the rest."""
    drawing.fault("def before_picture(number):\n    if number == 4: raise RuntimeError('out of paint')")
    ended = drawing.train()
    record = drawing.record
    again = f"`kohya-wrap lora grid {record['id']}` draws them later"
    assert (ended.code, record["status"]) == (0, "succeeded")
    assert again in ended.output
    assert again in record["warnings"][-1]
    assert "out of paint" in record["samples"]["error"]
    before = pictures(drawing.run_folder)
    assert len(before) == 3
    drawing.fault("")
    ended = drawing.command("lora", "grid", record["id"])
    assert ended.code == 0, ended.output
    assert ended.output.splitlines()[-1].split() == ["grid", record["samples"]["grids"][0]]
    after = pictures(drawing.run_folder)
    assert len(after) == 2 * EACH
    assert {name: after[name] for name in before} == before
    assert (len(drawing.record["samples"]["pictures"]), drawing.record["samples"]["error"]) == (2 * EACH, "")


def test_a_stop_while_drawing_keeps_training_and_pictures(drawing: Broken) -> None:
    """Exit code 130; the record had succeeded before, the pictures stay, and the message says how to go on."""
    drawing.fault(HOLD_AT, at_step=3)
    with drawing.training() as training:
        send(training.wrapper.pid, signal.SIGTERM)
        ended = training.end()
    assert ended.code == 130
    assert (drawing.record["status"], len(drawing.record["loras"])) == ("succeeded", EPOCHS)
    assert len(pictures(drawing.run_folder)) == 2
    assert f"2 of {2 * EACH} pictures are drawn, and kept" in ended.output
    assert f"the training is done and recorded; `kohya-wrap lora grid {drawing.record['id']}`" in ended.output
    assert drawing.processes() == []


def test_the_verb_for_a_program(tmp_path: Path) -> None:
    """--json is all that stdout holds: grids, pictures with epoch and weight, what was left out."""
    make_run(tmp_path)
    done = lora_grid(tmp_path, "tiger", "--weights", "0,0.5", "--epochs", "2,9", "--json")
    assert done.code == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert [(each["epoch"], each["weight"]) for each in told["pictures"]] == [(0, 0.0), (2, 0.5)]
    assert told["notes"] == ["epoch 9: the run kept no LoRA of epoch 9"]
    assert (told["run"], told["missing"], told["error"]) == (RUN, 0, "")
    assert Path(told["grids"][0]).is_file()


def test_other_prompts_take_no_names_from_the_first(tmp_path: Path) -> None:
    """Pictures and grid of --prompt get names of their own; the preset's stay as they are."""
    studio = make_run(tmp_path, epochs=1)
    lora_grid(tmp_path, RUN)
    folder = studio.paths.folder
    before = pictures(folder)
    assert sorted(before) == ["tiger-01_w0.5_p1.png", "tiger-01_w1_p1.png", "tiger_w0_p1.png"]
    done = lora_grid(
        tmp_path, RUN, "--prompt", str(folder / "samples/tiger-01_w1_p1.png"), "--prompt", "a cat", "--json"
    )
    names = [Path(each["path"]).name for each in json.loads(done.stdout)["pictures"]]
    assert {name for name in names if "p2" not in name} == set(before), "a picture's own prompt is the same picture"
    assert {name: pictures(folder)[name] for name in before} == before
    assert sorted(path.name for path in folder.glob("samples/grid*")) == [
        f"grid-{Path(json.loads(done.stdout)['grids'][0]).stem[-4:]}.png",
        "grid.png",
    ]


def test_out_is_for_the_grid_alone(tmp_path: Path) -> None:
    """A .png anywhere; a name that is no .png is refused before anything is drawn."""
    studio = make_run(tmp_path, epochs=1)
    assert lora_grid(tmp_path, "tiger", "--out", "here.jpg").code == 15
    assert pictures(studio.paths.folder) == {}
    assert lora_grid(tmp_path, "tiger", "--out", "look/here.png").code == 0
    with Image.open(tmp_path / "look" / "here.png") as image:
        assert image.format == "PNG"
    assert len(pictures(studio.paths.folder)) == 3


def test_a_prompt_s_picture_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Its name is no prompt: nothing is drawn."""
    studio = make_run(tmp_path, epochs=1)
    done = lora_grid(tmp_path, "tiger", "--prompt", "night.png")
    assert (done.code, "there is no such file" in done.stderr) == (2, True)
    assert pictures(studio.paths.folder) == {}


def test_more_than_500_pictures_ask_first(tmp_path: Path) -> None:
    """Without a terminal to ask on, --yes is wanted, and nothing is drawn."""
    studio = make_run(tmp_path)
    done = lora_grid(tmp_path, "tiger", "--weights", ",".join(str(number) for number in range(1, 168)))
    assert (done.code, "501 pictures are more than 500" in done.stderr) == (60, True)
    assert "give --yes" in done.stderr
    assert pictures(studio.paths.folder) == {}


@pytest.mark.parametrize("flags", [("--weights", "half"), ("--weights", ""), ("--epochs", "0"), ("--epochs", "first")])
def test_flags_that_say_nothing(tmp_path: Path, flags: tuple[str, str]) -> None:
    """Exit code 2 names the flag and what it takes; an empty one is the default."""
    make_run(tmp_path, epochs=1)
    done = lora_grid(tmp_path, "tiger", *flags)
    assert done.code == (2 if flags[1] else 0)
    assert not flags[1] or flags[0] in done.stderr


def test_a_preset_brings_its_samples_of_today(tmp_path: Path) -> None:
    """Named by its preset, a run is drawn with what the preset says now; named by its id, with what it said then."""
    studio = make_run(tmp_path, epochs=1, samples=SamplesConfig(prompts=("then",), weights=(0,), width=64, height=64))
    preset = '[setup]\nproject_name = "tiger"\n[samples]\nprompts = ["now"]\nweights = [0]\nwidth = 64\nheight = 64\n'
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "wolf.toml").write_text(preset, encoding="utf-8")
    folder = studio.paths.samples
    assert lora_grid(tmp_path, "wolf").code == 0
    assert read_parameters(folder / "tiger_w0_p1.png").prompt == "now"
    assert lora_grid(tmp_path, RUN).code == 0
    assert read_parameters(folder / "tiger_w0_p1-2.png").prompt == "then"


def test_ctrl_c_at_the_verb(tmp_path: Path) -> None:
    """Exit code 130, no process left, and the same command goes on."""
    make_run(tmp_path)
    (tmp_path / "fault.py").write_text(HOLD_AT.replace("WHEN", "2"))
    argv = [COMMAND, "lora", "grid", "tiger"]
    env = {**os.environ, "KOHYA_WRAP_HOME": str(tmp_path / "cache")}
    child = subprocess.Popen(argv, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_until((tmp_path / AT_FAULT).exists, "no second picture was begun")
    time.sleep(0.1)
    os.kill(child.pid, signal.SIGINT)
    output = child.communicate(timeout=30)[0]
    assert child.returncode == 130
    assert "the same command draws the others" in output
    (tmp_path / "fault.py").write_text("")
    assert "1 there already" in lora_grid(tmp_path, "tiger").stdout


def test_check_says_what_will_be_drawn_and_what_not(tmp_path: Path) -> None:
    """A prompt's unknown sampler is a warning, because the training can go on without it; the table's is an error."""

    def check(*sets: str) -> Typed:
        return type_here(tmp_path, "check", "demo", *(word for each in sets for word in ("--set", each)))

    prompts = 'samples.prompts=["a\\nSteps: 5, Sampler: Magic, Seed: 1", "b"]'
    warned = check(prompts)
    assert "9 pictures afterwards: 2 prompts" in warned.stdout
    assert "number 1: cannot be drawn: no sampler is called 'Magic'" in warned.stderr
    refused = check(prompts, 'samples.sampler="Magic"', "samples.epochs=[1, 9]")
    assert refused.code == 10
    assert "samples.sampler: no sampler is called 'Magic'" in refused.stderr
    assert "the run leaves no LoRA of epoch 9" in refused.stderr
    many = ", ".join(str(number) for number in range(1, 200))
    assert "796 pictures, more than 500" in check(f"samples.weights=[{many}]").stdout
