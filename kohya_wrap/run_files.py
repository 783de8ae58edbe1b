"""The folders and files of a run, and the lock that keeps a project to one run at a time."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from kohya_wrap.errors import ProjectBusyError
from kohya_wrap.files import output_error, write_whole
from kohya_wrap.paths import ProjectPaths, RunPaths
from kohya_wrap.planning import Plan
from kohya_wrap.results.samples.asked import engine_prompt, prompts_of
from kohya_wrap.sd_scripts import accelerate_yaml, dataset_toml, sample_prompts_json, training_toml
from kohya_wrap.sd_scripts.job import TrainingJob


def write_toml(planned: Plan, out: Path) -> tuple[Path, Path]:
    """Write the training and dataset TOML of a plan into `out`, and nothing else. Raises OutputError."""
    run_paths = RunPaths(folder=out.absolute(), log_dir=planned.project.logs)
    job = planned.job(run_paths)
    _make_folder(run_paths.folder)
    write_whole(run_paths.training_config, training_toml(job))
    write_whole(run_paths.dataset_config, dataset_toml(job))
    _write_prompts(run_paths, planned)
    return run_paths.training_config, run_paths.dataset_config


def write_run_files(job: TrainingJob, planned: Plan) -> None:
    """Write all that the engine reads into the run's folder. Raises OutputError."""
    write_whole(job.run.training_config, training_toml(job))
    write_whole(job.run.dataset_config, dataset_toml(job))
    write_whole(job.run.accelerate_config, accelerate_yaml(job.choices, planned.config.engine.gpu_ids))
    _write_prompts(job.run, planned)


def _write_prompts(run_paths: RunPaths, planned: Plan) -> None:
    """Write the prompts that the engine is to draw while it trains, where it is."""
    if planned.config.samples.draws_while_training:
        prompts = map(engine_prompt, prompts_of(planned.config))
        write_whole(run_paths.sample_prompts, sample_prompts_json(prompts))


def new_run(project: ProjectPaths) -> RunPaths:
    """Make the folders of a new run: its id is the local time and four random hex digits."""
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    paths = project.run(f"{stamp}-{secrets.token_hex(2)}")
    for folder in (paths.staging, paths.log_dir):
        _make_folder(folder)
    return paths


@contextmanager
def project_lock(project: ProjectPaths) -> Iterator[None]:
    """Hold a project for one run. Raises ProjectBusyError while another one does."""
    _make_folder(project.config)
    lock = FileLock(project.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ProjectBusyError(
            "another run of this project is going on",
            where=str(project.config),
            todo="wait for it, stop it, or give this run another setup.project_name",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, folder) from error
