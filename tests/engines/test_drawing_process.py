"""The wrapper's side of drawing: the job, the process, what it says, how it ends. The engine here is a small script."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kohya_wrap.engines.drawing.diffusers_drawer import DiffusersDrawer
from kohya_wrap.engines.drawing.types import Drawn, Picture
from kohya_wrap.errors import DrawingError, EngineError

TELLS = """
import json, os, sys
job = json.load(open(sys.argv[2]))
print("some library talks")
print("@drawing " + json.dumps({"loaded": 1.0}))
for number, picture in enumerate(job["pictures"]):
    print("@drawing " + json.dumps({"drawn": number, "seconds": 0.5, "notes": [picture["prompt"]]}))
json.dump(dict(os.environ), open("environment.json", "w"))
"""


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    target = tmp_path / "a.png"
    return Picture(target, "a", "", 1, 20, 7, "Euler a", "Automatic", width=64, height=64, clip_skip=1)


@pytest.fixture
def drawer(tmp_path: Path) -> DiffusersDrawer:
    (tmp_path / "base").mkdir()
    return DiffusersDrawer(tmp_path / "python", tmp_path / "base", tmp_path / "job")


def pretend(drawer: DiffusersDrawer, script: str) -> None:
    """Put a script in the place of the engine's python."""
    drawer.python.write_text(f"#!{sys.executable}\n{script}", encoding="utf-8")
    drawer.python.chmod(0o755)


def draw(drawer: DiffusersDrawer, *pictures: Picture) -> list[Drawn]:
    found: list[Drawn] = []
    drawer.draw(pictures, on_drawn=found.append)
    return found


def test_every_picture_is_told_when_it_is_done(drawer: DiffusersDrawer, picture: Picture) -> None:
    """In order, with its seconds and notes; what libraries say is no answer."""
    pretend(drawer, TELLS)
    other = replace(picture, prompt="ü")
    assert draw(drawer, picture, other) == [Drawn(picture, 0.5, ("a",)), Drawn(other, 0.5, ("ü",))]


def test_no_pictures_start_no_process(drawer: DiffusersDrawer) -> None:
    """There is no python here that could be started."""
    assert draw(drawer) == []


def test_the_process_knows_no_network_and_no_secret(
    drawer: DiffusersDrawer, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hugging Face's libraries are told to stay offline; a token and PYTHONPATH do not get through."""
    pretend(drawer, TELLS)
    for name in ("HF_TOKEN", "PYTHONPATH"):
        monkeypatch.setenv(name, "secret")
    draw(replace(drawer, use_cpu=True, num_cpu_threads=3), picture)
    environment = json.loads((drawer.folder / "environment.json").read_text(encoding="utf-8"))
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["CUDA_VISIBLE_DEVICES"] == ""
    assert environment["OMP_NUM_THREADS"] == "3"
    assert not {"HF_TOKEN", "PYTHONPATH"} & set(environment)


def test_the_first_of_several_gpus_draws(drawer: DiffusersDrawer, picture: Picture) -> None:
    """A picture needs one; GPUs are counted as nvidia-smi does."""
    pretend(drawer, TELLS)
    draw(replace(drawer, gpu_ids="2, 3"), picture)
    environment = json.loads((drawer.folder / "environment.json").read_text(encoding="utf-8"))
    assert environment["CUDA_VISIBLE_DEVICES"] == "2"
    assert environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_a_job_names_absolute_paths(
    drawer: DiffusersDrawer, picture: Picture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The process works in another folder, and finds what was given from here."""
    pretend(drawer, TELLS)
    monkeypatch.chdir(tmp_path)
    draw(replace(drawer, base=Path("base"), vae=Path("base")), replace(picture, target=Path("a.png")))
    job = json.loads((drawer.folder / "drawing.json").read_text(encoding="utf-8"))
    assert [job["base"], job["vae"]] == [str(tmp_path / "base")] * 2
    assert job["pictures"][0]["target"] == str(tmp_path / "a.png")


def test_what_the_process_refuses_is_the_error(drawer: DiffusersDrawer, picture: Picture) -> None:
    """What, where and what to do come through as they were said."""
    problem = {"what": "memory ran out", "where": "gpu", "todo": "draw smaller"}
    pretend(drawer, f"print('@drawing ' + {json.dumps({'problems': [problem]})!r})\nraise SystemExit(3)")
    with pytest.raises(DrawingError) as caught:
        draw(drawer, picture)
    assert str(caught.value) == "gpu: memory ran out → draw smaller"


def test_a_process_that_dies_leaves_its_last_words(drawer: DiffusersDrawer, picture: Picture) -> None:
    """The exit code, how many are drawn, the last line, and where the log is."""
    pretend(drawer, "import sys\nprint('all is well')\nsys.exit('ImportError: no torch')")
    with pytest.raises(DrawingError) as caught:
        draw(drawer, picture)
    assert "drawing ended with code 1; 0 of 1 pictures are drawn: ImportError: no torch" in str(caught.value)
    assert caught.value.where == str(drawer.folder / "drawing.log")
    assert "all is well" in (drawer.folder / "drawing.log").read_text(encoding="utf-8")


def test_a_process_that_draws_too_few_is_no_success(drawer: DiffusersDrawer, picture: Picture) -> None:
    """Exit code 0 alone says nothing."""
    pretend(drawer, "print('bye')")
    with pytest.raises(DrawingError, match="0 of 1 pictures are drawn: bye"):
        draw(drawer, picture)


def test_an_environment_without_torch_is_told(drawer: DiffusersDrawer, picture: Picture) -> None:
    """The wrapper's own python has none: the real script says so."""
    with pytest.raises(DrawingError, match="No module named 'torch'"):
        draw(replace(drawer, python=Path(sys.executable)), picture)


def test_a_python_that_is_not_there_is_told(drawer: DiffusersDrawer, picture: Picture) -> None:
    """As everywhere where an engine is started."""
    with pytest.raises(EngineError, match="cannot be started"):
        draw(drawer, picture)


def test_files_that_are_not_there_are_told_together(drawer: DiffusersDrawer, picture: Picture, tmp_path: Path) -> None:
    """The base model, the VAE and an unknown sampler in one error, before anything is started."""
    wrong = replace(drawer, base=tmp_path / "no-base", vae=tmp_path / "no-vae")
    with pytest.raises(DrawingError) as caught:
        draw(wrong, replace(picture, sampler="Nothing"))
    assert [problem.where for problem in caught.value.problems] == [str(wrong.base), str(wrong.vae), ""]
    assert "no sampler is called 'Nothing'" in str(caught.value)
