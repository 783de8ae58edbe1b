"""plan() and run(): the only file that knows the order.

preset -> config -> dataset -> base model -> TOML -> launch -> events -> run record -> results.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kohya_wrap import base_models, dataset, presets
from kohya_wrap.config.hardware import choose
from kohya_wrap.config.rules import check_total_steps
from kohya_wrap.dataset.wanted import wanted_steps
from kohya_wrap.engines import get_engine
from kohya_wrap.engines.command import without_network
from kohya_wrap.engines.hardware import detect
from kohya_wrap.engines.watch import train
from kohya_wrap.errors import Problem
from kohya_wrap.events import FETCHING, Event, Notice, Progress, RunWarning
from kohya_wrap.families.memory import memory_problems
from kohya_wrap.launch.signals import raise_on_stop_signals
from kohya_wrap.paths import CachePaths, ProjectPaths, RunPaths
from kohya_wrap.planning import Findings, Plan, family_of
from kohya_wrap.preparing import Steps, do_steps
from kohya_wrap.presets import LoadedPreset
from kohya_wrap.providing import provide
from kohya_wrap.record import RunRecord
from kohya_wrap.record.model import ContinuedEntry
from kohya_wrap.recording import Recording
from kohya_wrap.results.losses import StepLoss
from kohya_wrap.results.publish import Lora
from kohya_wrap.results.samples.asked import prompts_of, sample_problems
from kohya_wrap.run_files import new_run, project_lock, write_run_files
from kohya_wrap.sampling import Samples, after_training
from kohya_wrap.sd_scripts import check_passthrough, plan_steps, read_given_files
from kohya_wrap.sd_scripts.job import Continuation
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


def load_preset(preset: str | Path, *, overrides: Sequence[str] = (), root: Path | str | None = None) -> LoadedPreset:
    """Read a preset by name or path, with its `extends` and "table.key=value" overrides.

    A name is looked up in ./presets, in `root`/presets, and among those that come with kohya_wrap. Raises
    PresetError with every problem at once.
    """
    search = presets.default_dirs(Path(root) if root else None)
    return presets.load(preset, overrides=overrides, checks=(check_passthrough,), search=search)


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
    loaded = preset if isinstance(preset, LoadedPreset) else load_preset(preset, overrides=overrides, root=root)
    home = cache or CachePaths.from_environment()
    return _look(loaded, Path(root or ".").absolute(), home, overrides=tuple(overrides))


def _look(loaded: LoadedPreset, root: Path, cache: CachePaths, *, overrides: tuple[str, ...]) -> Plan:
    """Ask each room in turn what it would do, and what is in the way."""
    config = loaded.config
    project = ProjectPaths(root, config.setup.project_name, config.setup.folder_structure)
    engine = get_engine(config.engine, cache)
    status = engine.status()
    hardware = detect(status, config.engine)
    choices, hardware_problems = choose(config, hardware)
    prepared = dataset.prepare(config, project)
    files, file_problems = read_given_files(config, root=root, script=family_of(config).script)
    planned = Plan(
        preset=loaded,
        config=config,
        overrides=overrides,
        root=root,
        cache=cache,
        project=project,
        engine=engine,
        status=status,
        hardware=hardware,
        choices=choices,
        dataset=prepared,
        located=base_models.locate(config.setup, root=root, cache=cache),
        vae=base_models.locate_vae(config.setup, root=root, cache=cache),
        steps=plan_steps(config, prepared, choices, files),
        files=files,
        findings=Findings(),
        wanted=wanted_steps(config, project, prepared),
        samples=prompts_of(config),
    )
    return replace(planned, findings=_findings(planned, files=file_problems, hardware=hardware_problems))


def _findings(planned: Plan, *, files: Iterable[Problem], hardware: Iterable[Problem]) -> Findings:
    """Gather what is wrong with a plan; `files`, `hardware`: what was found on the way to it."""
    config, steps, located, vae = planned.config, planned.steps, planned.located, planned.vae
    too_long = check_total_steps(steps.total_steps, config.steps.max_total_steps)
    samples = sample_problems(config, planned.project, steps, planned.samples)
    memory = memory_problems(config, planned.choices, planned.hardware, planned.family.size)
    return Findings(
        preset=(*planned.preset.warnings, *files, *too_long, *samples),
        dataset=tuple(problem for problem in planned.dataset.findings if not planned.wanted.cures(problem)),
        base_model=(*located.problems, *(vae.problems if vae else ())),
        engine=(*planned.engine.problems(config), *hardware, *memory),
        failure=located.failure or (vae.failure if vae else None),
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
        provided = provide(planned, tell, offline=offline)
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
        if planned.samples:
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


def _ignore(event: Event) -> None:
    """Stand in for a caller who does not listen."""
