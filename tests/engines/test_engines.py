"""Both engines behind their contract, on installations made of small files."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers_hardware import CPU, GPU

from kohya_wrap.base_models.types import BaseModelFile
from kohya_wrap.config import EngineConfig, HardwareChoices, TrainConfig
from kohya_wrap.engines import ENGINES, get_engine
from kohya_wrap.engines.command import training_plan
from kohya_wrap.engines.doctor import doctor
from kohya_wrap.engines.environment import engine_spec
from kohya_wrap.engines.nvidia import Driver
from kohya_wrap.engines.probing import ensure_probe, read_probe
from kohya_wrap.errors import EngineError, Problem
from kohya_wrap.launch import OutputLine
from kohya_wrap.launch.process import run_process
from kohya_wrap.paths import CachePaths, RunPaths

PACKAGES = dict.fromkeys(("torch", "accelerate", "transformers", "diffusers", "safetensors"), "1.0")


def fake_python(folder: Path, *, versions: dict[str, str] = PACKAGES, exit_code: int = 0) -> Path:
    """Write a program that answers a probe as an environment's python would, and counts how often it was asked."""
    facts = {"python": "3.11.9", "versions": versions, "cuda": False, "gpus": [], "errors": {}}
    path = folder / "env" / "bin" / "python"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"#!{sys.executable}\nopen({str(folder / 'asked')!r}, 'a').write('x')\nprint('noise of a package')\n"
        f"print({json.dumps(facts)!r})\nraise SystemExit({exit_code})\n"
    )
    path.chmod(0o755)
    return path


def fake_checkout(folder: Path, commit: str = "a" * 40) -> Path:
    """Make a folder that looks like sd-scripts at a commit."""
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text(commit + "\n")
    (folder / "train_network.py").write_text("")
    return folder


def preset(**tables: dict[str, object]) -> TrainConfig:
    return TrainConfig.model_validate({"setup": {"project_name": "x"}, **tables})


def where(problems: object) -> set[str]:
    return {problem.where for problem in problems if isinstance(problem, Problem)}  # type: ignore[attr-defined]


def paths(folder: Path) -> RunPaths:
    return RunPaths(folder=folder, log_dir=folder / "logs")


@pytest.mark.parametrize("name", list(ENGINES))
def test_engines_are_found_by_name(tmp_path: Path, name: str) -> None:
    """A preset's word gives the engine of that name."""
    config = EngineConfig.model_validate({"name": name})
    assert get_engine(config, CachePaths(tmp_path)).name == name


@pytest.mark.parametrize("name", list(ENGINES))
def test_what_is_missing_says_what_setup_does(tmp_path: Path, name: str) -> None:
    """On a fresh machine the environment is missing, and the entry names the command."""
    status = get_engine(EngineConfig.model_validate({"name": name}), CachePaths(tmp_path)).status()
    assert any("kohya-wrap setup" in problem.todo for problem in status.missing)


def test_after_setup_nothing_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine that was asked before setup knows afterwards that all is there."""
    python = fake_python(tmp_path)
    cache = CachePaths(tmp_path / "cache")
    folder = engine_spec().folder(cache)

    def build(*_: object, **__: object) -> Path:
        folder.mkdir(parents=True)
        python.parent.rename(folder / "bin")
        (folder / "ready.json").write_text("{}")
        return folder / "bin" / "python"

    monkeypatch.setattr("kohya_wrap.engines.installation.ensure_environment", build)
    engine = get_engine(EngineConfig(name="embedded"), cache)
    assert engine.status().missing
    assert engine.setup(print).missing == ()


def test_an_own_installation_is_used(tmp_path: Path) -> None:
    """With both paths given, nothing is fetched or built, and the command uses them."""
    python, folder = fake_python(tmp_path), fake_checkout(tmp_path / "sd")
    config = EngineConfig(sd_scripts_dir=str(folder), python=str(python))
    engine = get_engine(config, CachePaths(tmp_path / "cache"))
    said: list[str] = []
    status = engine.setup(said.append)
    assert status.missing == ()
    assert (status.commit, status.versions["torch"]) == ("a" * 40, "1.0")
    plan = engine.launch_plan(paths(tmp_path), script="train_network.py", choices=CPU, gpu_ids="")
    assert plan.argv[0] == str(python)
    assert str(folder / "train_network.py") in plan.argv
    assert any("aaaaaaaaaaaa" in line for line in said)


def test_another_commit_is_a_warning(tmp_path: Path) -> None:
    """A user's own checkout may be another version; the plan says so and goes on."""
    config = EngineConfig(sd_scripts_dir=str(fake_checkout(tmp_path / "sd")))
    problems = get_engine(config, CachePaths(tmp_path)).problems(preset())
    assert [(problem.where, problem.severity) for problem in problems] == [("engine.sd_scripts_dir", "warning")]


def test_wrong_paths_are_both_reported(tmp_path: Path) -> None:
    """A folder without the script and a python that is not there come in one list."""
    config = EngineConfig(sd_scripts_dir=str(tmp_path), python=str(tmp_path / "python"))
    found = get_engine(config, CachePaths(tmp_path)).problems(preset(engine={"python": config.python}))
    assert where(found) == {"engine.sd_scripts_dir", "engine.python"}
    with pytest.raises(EngineError):
        get_engine(config, CachePaths(tmp_path)).setup(print)


def test_an_environment_without_torch_is_refused(tmp_path: Path) -> None:
    """The message names each package that is not there."""
    python = fake_python(tmp_path, versions={"accelerate": "1.0"})
    engine = get_engine(EngineConfig(name="embedded", python=str(python)), CachePaths(tmp_path / "cache"))
    with pytest.raises(EngineError, match="no torch"):
        engine.setup(print)


def test_an_environment_is_tried_once(tmp_path: Path) -> None:
    """Starting Python with torch takes seconds; what it said is remembered, until the environment changes."""
    python, cache = fake_python(tmp_path), CachePaths(tmp_path / "cache")
    assert read_probe(python, Driver(), cache) is None
    first = ensure_probe(python, Driver(), cache)
    assert ensure_probe(python, Driver(), cache) == first == read_probe(python, Driver(), cache)
    assert (tmp_path / "asked").read_text() == "x"
    os.utime(python, ns=(1, 1))
    assert read_probe(python, Driver(), cache) is None


def test_a_new_driver_is_tried_again(tmp_path: Path) -> None:
    """What was found without a GPU says nothing about a machine with one."""
    python, cache = fake_python(tmp_path), CachePaths(tmp_path / "cache")
    ensure_probe(python, Driver(), cache)
    assert read_probe(python, Driver(version="570"), cache) is None


def test_a_python_that_fails_is_named(tmp_path: Path) -> None:
    """A broken environment is the environment's fault, said with its path."""
    python = fake_python(tmp_path, exit_code=3)
    with pytest.raises(EngineError, match=str(python)):
        ensure_probe(python, Driver(), CachePaths(tmp_path / "cache"))


def test_the_command_is_accelerate_s_launcher_with_the_two_files(tmp_path: Path) -> None:
    """The whole command, in order, with absolute paths only."""
    run = paths(tmp_path)
    plan = training_plan(Path("/env/bin/python"), Path("/sd/t.py"), run, choices=CPU, gpu_ids="", environ={})
    assert plan.argv == (
        *("/env/bin/python", "-m", "accelerate.commands.launch", "--config_file", str(run.accelerate_config)),
        *("/sd/t.py", "--config_file", str(run.training_config), "--dataset_config", str(run.dataset_config)),
    )
    assert plan.cwd == run.folder


def test_threads_and_seeds_are_set_and_not_inherited(tmp_path: Path) -> None:
    """What the shell says about threads or hashing does not reach a training."""
    environ = {"OMP_NUM_THREADS": "64", "PYTHONHASHSEED": "7", "PYTHONPATH": "/x"}
    plan = training_plan(Path("p"), Path("s"), paths(tmp_path), choices=CPU, gpu_ids="", environ=environ)
    assert (plan.env["OMP_NUM_THREADS"], plan.env["MKL_NUM_THREADS"], plan.env["PYTHONHASHSEED"]) == ("2", "2", "0")
    assert "PYTHONPATH" not in plan.env


@pytest.mark.parametrize(
    ("choices", "gpu_ids", "expected"),
    [(GPU, "", "3"), (GPU, "1, 2", "1,2"), (CPU, "", "")],
    ids=["the shell's GPU", "the preset's GPUs", "the CPU"],
)
def test_the_visible_gpus_follow_the_preset(
    tmp_path: Path, choices: HardwareChoices, gpu_ids: str, expected: str
) -> None:
    """The user's own choice stands unless the preset names GPUs; a training on the CPU sees none."""
    environ = {"CUDA_VISIBLE_DEVICES": "3"}
    plan = training_plan(Path("p"), Path("s"), paths(tmp_path), choices=choices, gpu_ids=gpu_ids, environ=environ)
    assert plan.env["CUDA_VISIBLE_DEVICES"] == expected


@pytest.mark.parametrize("gpu_ids", ["", "1"])
def test_deterministic_is_said_to_the_gpu_s_libraries(tmp_path: Path, gpu_ids: str) -> None:
    """A fixed workspace for cuBLAS and no TF32, on a GPU and only where it is asked for."""
    names = {"CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE"}

    def env(choices: HardwareChoices) -> set[str]:
        plan = training_plan(Path("p"), Path("s"), paths(tmp_path), choices=choices, gpu_ids=gpu_ids, environ={})
        return names & plan.env.keys()

    assert env(replace(GPU, deterministic=True)) == names
    assert env(GPU) == env(replace(CPU, deterministic=True)) == set()


def test_the_embedded_engine_refuses_what_it_does_not_do(tmp_path: Path) -> None:
    """Every field and option beyond it is listed before anything starts."""
    config = preset(
        structure={"lora_type": "LoCon"},
        training={"weighted_captions": True, "save_state": True},
        sd_scripts={"noise_offset": 0.1, "seed": 3},
    )
    found = where(get_engine(EngineConfig(name="embedded"), CachePaths(tmp_path)).problems(config))
    assert {"structure.lora_type", "training.weighted_captions"} <= found
    assert "sd_scripts.noise_offset" in found


def test_the_embedded_engine_takes_a_plain_preset(tmp_path: Path) -> None:
    """But for the base model, which is a single file, the notebook's own defaults are within its reach."""
    config = TrainConfig.model_validate({"setup": {"project_name": "x", "training_model": "Tiny random"}})
    assert get_engine(EngineConfig(name="embedded"), CachePaths(tmp_path)).problems(config) == []


def test_the_toy_base_is_not_for_sd_scripts(tmp_path: Path) -> None:
    """A preset that asks the real trainer for the toy base is told so, and none is made."""
    engine = get_engine(EngineConfig(), CachePaths(tmp_path))
    assert "setup.training_model" in where(
        engine.problems(TrainConfig.model_validate({"setup": {"project_name": "x", "training_model": "Tiny random"}}))
    )
    with pytest.raises(EngineError):
        engine.make_builtin_base(BaseModelFile(tmp_path / "b", "diffusers", "sd15", 0, builtin=True), print)


def base_maker(folder: Path, body: str) -> Path:
    """Write a program that is called as python would be, and makes a base, or does not."""
    path = folder / "env" / "bin" / "python"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!{sys.executable}\nimport sys\nfrom pathlib import Path\nout = Path(sys.argv[-1])\n{body}\n")
    path.chmod(0o755)
    return path


def test_the_toy_base_is_made_once(tmp_path: Path) -> None:
    """A base that is there is not made again, and nothing but it is left."""
    python = base_maker(tmp_path, "out.mkdir()\n(out / 'model_index.json').write_text('{}')")
    engine = get_engine(EngineConfig(name="embedded", python=str(python)), CachePaths(tmp_path))
    base = BaseModelFile(tmp_path / "models" / "tiny", "diffusers", "sd15", 0, builtin=True)
    said: list[str] = []
    engine.make_builtin_base(base, said.append)
    engine.make_builtin_base(base, said.append)
    assert len(said) == 1
    assert (base.path / "model_index.json").is_file()
    assert {path.name for path in base.path.parent.iterdir()} <= {"tiny", "tiny.lock"}


def test_a_half_made_toy_base_never_gets_the_name(tmp_path: Path) -> None:
    """A maker that fails midway says why, and what it left is not taken for a base."""
    python = base_maker(tmp_path, "out.mkdir()\nraise SystemExit('no memory left')")
    engine = get_engine(EngineConfig(name="embedded", python=str(python)), CachePaths(tmp_path))
    base = BaseModelFile(tmp_path / "models" / "tiny", "diffusers", "sd15", 0, builtin=True)
    with pytest.raises(EngineError, match="no memory left"):
        engine.make_builtin_base(base, print)
    assert not base.path.exists()


def test_the_doctor_says_what_a_missing_thing_means(tmp_path: Path) -> None:
    """On a fresh machine each row that is not well says what to do about it."""
    rows = {row.name: row for row in doctor(CachePaths(tmp_path), EngineConfig(sd_scripts_dir=str(tmp_path)))}
    assert not rows["sd-scripts"].ok
    assert "train_network.py" in rows["sd-scripts"].found
    assert not rows["Environment"].ok
    assert "kohya-wrap setup" in rows["Environment"].meaning
    assert "torch" not in rows


def test_the_doctor_can_look_deeper(tmp_path: Path) -> None:
    """Asked to, it starts the engine's python, and then knows its packages."""
    config = EngineConfig(python=str(fake_python(tmp_path)))
    assert "torch" not in {row.name for row in doctor(CachePaths(tmp_path / "c"), config)}
    assert {"torch", "xformers"} <= {row.name for row in doctor(CachePaths(tmp_path / "c"), config, deep=True)}


@pytest.mark.engine
def test_the_real_environment_answers(engine_python: Path, tmp_path: Path) -> None:
    """The probe of the environment that setup built finds what a training needs."""
    probe = ensure_probe(engine_python, Driver(), CachePaths(tmp_path))
    assert probe.versions["torch"] == "2.10.0"
    assert probe.versions["accelerate"] == "1.6.0"


@pytest.mark.sd_scripts
def test_the_real_script_starts_under_the_launcher(
    engine_python: Path, sd_scripts_checkout: Path, tmp_path: Path
) -> None:
    """accelerate starts train_network.py with our files; it reads them, and fails over a value made to fail early."""
    run = paths(tmp_path)
    run.training_config.write_text("[a]\nconsole_log_level = 'verbose'\n")
    run.dataset_config.write_text("")
    run.accelerate_config.write_text(
        "compute_environment: LOCAL_MACHINE\ndistributed_type: 'NO'\nmixed_precision: 'no'\nnum_machines: 1\n"
        "num_processes: 1\nuse_cpu: true\ndebug: false\n"
    )
    lines: list[OutputLine] = []
    script = sd_scripts_checkout / "train_network.py"
    plan = training_plan(engine_python, script, run, choices=CPU, gpu_ids="")
    outcome = run_process(plan, on_line=lines.append, log=run.log)
    text = "\n".join(line.text for line in lines)
    assert outcome.returncode == 1
    assert f"Loading settings from {run.training_config}" in text
    assert "module 'logging' has no attribute 'verbose'" in text
