"""plan() and run(): the only file that knows the order.

preset -> config -> dataset -> base model -> TOML -> launch -> events -> run record -> results.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from kohya_wrap import base_models, dataset, presets
from kohya_wrap.base_models.tokenizers import obtain_tokenizers
from kohya_wrap.config import TrainConfig
from kohya_wrap.config.hardware import choose
from kohya_wrap.config.rules import check_total_steps
from kohya_wrap.dataset.wanted import wanted_steps
from kohya_wrap.engines import get_engine
from kohya_wrap.engines.command import without_network
from kohya_wrap.engines.hardware import detect
from kohya_wrap.engines.watch import train
from kohya_wrap.errors import EngineError, PresetError, Problem
from kohya_wrap.events import FETCHING, Event, Notice, Progress, RunWarning
from kohya_wrap.families.memory import memory_problems
from kohya_wrap.launch.signals import raise_on_stop_signals
from kohya_wrap.paths import CachePaths, ProjectPaths, RunPaths
from kohya_wrap.planning import Findings, Plan, Provided, family_of
from kohya_wrap.preparing import Steps, do_steps
from kohya_wrap.presets import LoadedPreset
from kohya_wrap.record import RunRecord
from kohya_wrap.record.model import ContinuedEntry
from kohya_wrap.recording import Recording
from kohya_wrap.results.losses import StepLoss
from kohya_wrap.results.publish import Lora
from kohya_wrap.results.samples.asked import draws, prompts_of, sample_problems
from kohya_wrap.run_files import new_run, project_lock, write_run_files
from kohya_wrap.sampling import Samples, after_training
from kohya_wrap.sd_scripts import (
    check_given_files,
    check_overrides,
    check_passthrough,
    plan_steps,
    read_overrides,
)
from kohya_wrap.sd_scripts.job import Continuation, Overrides
from kohya_wrap.studio import Studio

OnEvent = Callable[[Event], None]
"""Takes each event of a run, in the caller's thread."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a finished run left: LoRAs by epoch, the loss of every step, record, places, test pictures."""

    loras: tuple[Lora, ...]
    losses: tuple[StepLoss, ...]
    record: RunRecord
    paths: RunPaths
    samples: Samples = field(default_factory=Samples)


def load_preset(preset: str | Path, *, overrides: Sequence[str] = ()) -> LoadedPreset:
    """Read a preset by name or path, with its `extends` and "table.key=value" overrides.

    Raises PresetError with every problem at once.
    """
    return presets.load(preset, overrides=overrides, checks=(check_passthrough,))


def plan(
    preset: str | Path | LoadedPreset,
    *,
    root: Path | str | None = None,
    overrides: Sequence[str] = (),
    cache: CachePaths | None = None,
) -> Plan:
    """Say all that `run` would do, and every problem it would meet, without doing any of it.

    Relative paths of the preset start at `root` (default: the current folder). Raises PresetError where the preset
    itself is wrong; everything later is in the plan's findings.
    """
    loaded = preset if isinstance(preset, LoadedPreset) else load_preset(preset, overrides=overrides)
    config = loaded.config
    home = cache or CachePaths.from_environment()
    base_folder = Path(root or ".").absolute()
    project = ProjectPaths(base_folder, config.setup.project_name, config.setup.folder_structure)
    engine = get_engine(config.engine, home)
    status = engine.status()
    hardware = detect(status, config.engine)
    choices, hardware_problems = choose(config, hardware)
    prepared = dataset.prepare(config, project)
    wanted = wanted_steps(config, project, prepared)
    located = base_models.locate(config.setup, root=base_folder, cache=home)
    vae = base_models.locate_vae(config.setup, root=base_folder, cache=home)
    files, file_problems = _read_files(config, base_folder)
    steps = plan_steps(config, prepared, choices, files)
    too_long = check_total_steps(steps.total_steps, config.steps.max_total_steps)
    samples = prompts_of(config)
    findings = Findings(
        preset=(*loaded.warnings, *file_problems, *too_long, *sample_problems(config, project, steps, samples)),
        dataset=tuple(problem for problem in prepared.findings if not wanted.cures(problem)),
        base_model=(*located.problems, *(vae.problems if vae else ())),
        engine=(
            *engine.problems(config),
            *hardware_problems,
            *memory_problems(config, choices, hardware, family_of(config).size),
        ),
        failure=located.failure or (vae.failure if vae else None),
    )
    return Plan(
        preset=loaded,
        config=config,
        overrides=tuple(overrides),
        root=base_folder,
        cache=home,
        project=project,
        engine=engine,
        status=status,
        hardware=hardware,
        choices=choices,
        dataset=prepared,
        located=located,
        vae=vae,
        steps=steps,
        files=files,
        findings=findings,
        wanted=wanted,
        samples=samples,
    )


def run(
    preset: str | Path | LoadedPreset | Plan,
    *,
    root: Path | str | None = None,
    overrides: Sequence[str] = (),
    on_event: OnEvent | None = None,
    offline: bool = False,
    continued: ContinuedEntry | None = None,
) -> RunResult:
    """Train a LoRA from a preset and leave it in the project's output folder, with a record of the run.

    Everything is checked before anything is written. Raises a KohyaWrapError that says what to do; a run that
    began has its record closed with the reason, and keeps what was saved. `continued`: what it goes on from (see
    `resume`, which finds it).
    """
    planned = preset if isinstance(preset, Plan) else plan(preset, root=root, overrides=overrides)
    planned.findings.raise_errors()
    tell = on_event or _ignore
    with raise_on_stop_signals(), project_lock(planned.project):
        if planned.wanted:
            planned = _steps_done(planned, tell, offline=offline)
        provided = _provide(planned, tell, offline=offline)
        job = planned.job(new_run(planned.project), provided, continuation=_continuation(continued))
        write_run_files(job, planned)
        with Recording.open(planned, job, provided.status, continued=continued) as recording:
            launch = without_network(planned.launch(job.run)) if offline else planned.launch(job.run)
            recording.launched(launch)
            hear = recording.listen(tell)
            if continued and planned.engine.resume_differs:
                hear(RunWarning(planned.engine.resume_differs))
            watched = train(launch, job, on_event=hear)
            recording.trained(watched)
        samples, record = Samples(), recording.record
        if planned.samples and draws(planned.config):
            samples, record = after_training(Studio(record, planned.config.samples, planned.cache), tell=tell)
        return RunResult(recording.loras, recording.losses, record, job.run, samples)


def _steps_done(planned: Plan, tell: OnEvent, *, offline: bool) -> Plan:
    """Do the steps of [dataset] that are wanted, and plan again with what they brought."""
    steps = Steps(
        planned.config,
        planned.project,
        planned.cache,
        say=lambda text: tell(Notice(text)),
        on_progress=lambda done, total: tell(Progress(FETCHING, done, total)),
        offline=offline,
    )
    do_steps(planned.wanted, planned.dataset, steps)
    again = plan(planned.preset, root=planned.root, overrides=planned.overrides, cache=planned.cache)
    again.findings.raise_errors()
    tell(Notice(f"{len(again.dataset.pictures)} pictures, {again.steps.total_steps} steps"))
    return replace(again, engine=planned.engine, status=planned.status, samples=planned.samples)


def _continuation(continued: ContinuedEntry | None) -> Continuation | None:
    if continued is None:
        return None
    return Continuation(Path(continued.state), continued.epoch, continued.steps, continued.unknown_to_engine)


def _provide(planned: Plan, tell: OnEvent, *, offline: bool) -> Provided:
    """Put in place what the run needs and does not find: engine, base model, tokenizer, pictures."""

    def say(text: str) -> None:
        tell(Notice(text))

    def progress(done: int, total: int) -> None:
        tell(Progress(FETCHING, done, total))

    cache = planned.cache
    if offline and planned.status.missing:
        what = "the engine is not set up, and --offline keeps this run from doing it"
        offline_problem = Problem("", what, "run `kohya-wrap setup` once, with a network")
        raise EngineError.of((offline_problem, *planned.status.missing))
    status = planned.engine.setup(say) if planned.status.missing else planned.status
    fetch = partial(
        base_models.obtain, cache=cache, say=say, on_progress=progress, offline=offline, python=status.python
    )
    base = fetch(planned.located)
    vae = fetch(planned.vae) if planned.vae else None
    if base.builtin:
        planned.engine.make_builtin_base(base, say)
    tokenizers = None
    if planned.needs_tokenizers:
        tokenizers = obtain_tokenizers(planned.family, cache=cache, say=say, offline=offline)
    dataset.materialise(planned.dataset)
    return Provided(status, base, vae.path if vae else None, tokenizers)


def _read_files(config: TrainConfig, root: Path) -> tuple[Overrides, tuple[Problem, ...]]:
    """Read the ready-made TOML files of [extras]; what is wrong with them joins the other findings."""
    given = check_given_files(config, root=root)
    try:
        files = read_overrides(config.extras, root=root)
    except PresetError as error:
        return Overrides(), (*given, *error.problems)
    return files, (*given, *check_overrides(files, family_of(config).script))


def _ignore(event: Event) -> None:
    """Stand in for a caller who does not listen."""
