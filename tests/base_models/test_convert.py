"""A real .ckpt and a hostile one, in the engine's own environment."""

import json
import subprocess
from pathlib import Path

import pytest
from model_files import SD15
from world import World

from kohya_wrap.base_models.convert import convert
from kohya_wrap.base_models.errors import PickleRefusedError
from kohya_wrap.base_models.header import read_header

pytestmark = pytest.mark.engine

WRITE_GOOD = """
import json, sys, torch
shapes = json.loads(sys.argv[2])
shared = torch.arange(6.0)
state = {name: torch.zeros(shape, dtype=torch.float16) for name, shape in shapes.items()}
state |= {"a": shared, "b": shared[:3]}
torch.save({"state_dict": state, "global_step": 3, "optimizer": {"lr": 0.1}}, sys.argv[1])
"""
WRITE_HOSTILE = """
import os, sys, torch
class Hostile:
    def __reduce__(self):
        return (os.system, ("touch " + sys.argv[2],))
torch.save({"state_dict": {"a": torch.zeros(2)}, "x": Hostile()}, sys.argv[1])
"""


def run(python: Path, code: str, *words: str) -> None:
    done = subprocess.run((str(python), "-c", code, *words), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_checkpoint_becomes_a_base_model(world: World, engine_python: Path) -> None:
    """The tensors come out with their names, shapes and types; shared memory and the optimizer are no problem."""
    run(engine_python, WRITE_GOOD, str(world.folder / "m.ckpt"), json.dumps({k: list(v) for k, v in SD15.items()}))
    file = world.get("m.ckpt", allow_pickle=True, python=engine_python)
    header = read_header(file.path)
    assert file.family == "sd15"
    assert set(header.tensors) == {*SD15, "a", "b"}
    assert header.tensors["b"].shape == (3,)


def test_a_hostile_pickle_does_not_run(world: World, engine_python: Path) -> None:
    """The code in it is not executed, the refusal names what it wanted, and nothing is left behind."""
    ckpt, trace = world.folder / "m.ckpt", world.folder / "it-ran"
    run(engine_python, WRITE_HOSTILE, str(ckpt), str(trace))
    with pytest.raises(PickleRefusedError, match=r"could run code \(it wants posix\.system\)"):
        convert(ckpt, world.folder / "out", python=engine_python, name="m.ckpt")
    assert not trace.exists()
    assert not (world.folder / "out").exists()


def test_a_cut_checkpoint_is_refused(world: World, engine_python: Path) -> None:
    """Half a file is one clear error."""
    ckpt = world.folder / "m.ckpt"
    run(engine_python, "import sys, torch; torch.save({'a': torch.zeros(1000)}, sys.argv[1])", str(ckpt))
    ckpt.write_bytes(ckpt.read_bytes()[:-500])
    with pytest.raises(PickleRefusedError, match="cannot be read"):
        convert(ckpt, world.folder / "out", python=engine_python, name="m.ckpt")
