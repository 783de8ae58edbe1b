"""All that a run would do, known before it does anything."""

from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.base_models import Located
from kohya_wrap.base_models.tokenizers import find_tokenizers
from kohya_wrap.base_models.types import BaseModelFile
from kohya_wrap.config import Hardware, HardwareChoices, TrainConfig
from kohya_wrap.dataset.types import PreparedDataset
from kohya_wrap.dataset.wanted import Wanted
from kohya_wrap.engines.engine import Engine, EngineStatus
from kohya_wrap.errors import BaseModelError, DatasetError, EngineError, KohyaWrapError, PresetError, Problem
from kohya_wrap.families import FAMILIES, Family
from kohya_wrap.families.memory import MemoryEstimate, estimate_memory
from kohya_wrap.launch import LaunchPlan
from kohya_wrap.paths import CachePaths, ProjectPaths, RunPaths
from kohya_wrap.presets import LoadedPreset
from kohya_wrap.results.samples.asked import sample_count
from kohya_wrap.results.samples.prompts import Prompt
from kohya_wrap.sd_scripts.job import Continuation, Overrides, StepPlan, TrainingJob
from kohya_wrap.sd_scripts.steps import kept_epochs

EXAMPLE_RUN = "RUN"
"""Stands for the run's id in paths that are only shown."""


def family_of(config: TrainConfig) -> Family:
    """Give the family that a preset trains."""
    return FAMILIES[config.setup.family]


@dataclass(frozen=True, slots=True)
class Findings:
    """Problems by the room that found them; the room decides the exit code.

    `failure`: the error behind `base_model`, which has a finer one.
    """

    preset: tuple[Problem, ...] = ()
    dataset: tuple[Problem, ...] = ()
    base_model: tuple[Problem, ...] = ()
    engine: tuple[Problem, ...] = ()
    failure: BaseModelError | None = None

    def all(self) -> tuple[Problem, ...]:
        """Give every problem, in the order of the way through the house."""
        return self.preset + self.dataset + self.base_model + self.engine

    def errors(self) -> tuple[Problem, ...]:
        """Give those that forbid the run."""
        return tuple(problem for problem in self.all() if problem.severity == "error")

    def raise_errors(self) -> None:
        """Raise one error that lists every problem; its class is that of the first room that found one.

        A base model's failure that stands alone is raised as it is.
        """
        if self.failure is not None and self.errors() == self.failure.problems:
            raise self.failure
        kinds: tuple[tuple[type[KohyaWrapError], tuple[Problem, ...]], ...] = (
            (PresetError, self.preset),
            (DatasetError, self.dataset),
            (BaseModelError, self.base_model),
            (EngineError, self.engine),
        )
        for kind, problems in kinds:
            if any(problem.severity == "error" for problem in problems):
                raise kind.of(self.errors())


@dataclass(frozen=True, slots=True)
class Provided:
    """What has been put in place for a run. `vae`, `tokenizers`: where they are needed; absolute paths."""

    status: EngineStatus
    base_model: BaseModelFile
    vae: Path | None = None
    tokenizers: Path | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What `run` would do: nothing here has been written, fetched or started.

    `config` has the rules applied (Prodigy's overrides, for one). `steps` is as the engine will count. `wanted`: what
    is done to the dataset first; pictures that it brings are not counted yet. `samples`: prompts to draw afterwards.
    """

    preset: LoadedPreset
    config: TrainConfig
    overrides: tuple[str, ...]
    root: Path
    cache: CachePaths
    project: ProjectPaths
    engine: Engine
    status: EngineStatus
    hardware: Hardware
    choices: HardwareChoices
    dataset: PreparedDataset
    located: Located
    vae: Located | None
    steps: StepPlan
    files: Overrides
    findings: Findings
    wanted: Wanted
    samples: tuple[Prompt, ...] = ()

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What does not forbid the run, but should be read."""
        return tuple(problem for problem in self.findings.all() if problem.severity == "warning")

    @property
    def family(self) -> Family:
        """The family that the preset trains."""
        return family_of(self.config)

    @property
    def memory(self) -> MemoryEstimate | None:
        """The GPU memory that each process will take, reckoned; None on the CPU, or where the family has no numbers."""
        return estimate_memory(self.config, self.choices, self.family.size)

    @property
    def lora_names(self) -> tuple[str, ...]:
        """File names of the LoRAs that the run will leave, in order of epochs."""
        name = self.config.setup.project_name
        return tuple(f"{name}-{epoch:02d}.safetensors" for epoch in kept_epochs(self.config, self.steps))

    @property
    def sample_count(self) -> int:
        """How many test pictures will be drawn after the training."""
        return sample_count(self.config, self.steps, self.samples)

    @property
    def needs_tokenizers(self) -> bool:
        """Whether sd-scripts will ask for tokenizer files that the preset does not name."""
        return self.engine.name == "sd-scripts" and "tokenizer_cache_dir" not in self.config.sd_scripts

    def job(
        self, run: RunPaths, provided: Provided | None = None, *, continuation: Continuation | None = None
    ) -> TrainingJob:
        """Give the job as it would be written into `run`; what is not fetched yet has its place guessed."""
        tokenizers = find_tokenizers(self.family, cache=self.cache) if self.needs_tokenizers else None
        vae = self.vae.file.path if self.vae and self.vae.file else None
        return TrainingJob(
            config=self.config,
            family=self.family,
            base_model=provided.base_model if provided else self.located.file or self._unfetched(),
            dataset=self.dataset,
            choices=self.choices,
            steps=self.steps,
            run=run,
            tokenizer_dir=provided.tokenizers if provided else tokenizers,
            vae=provided.vae if provided else vae,
            overrides=self.files,
            root=self.root,
            continuation=continuation,
        )

    def _unfetched(self) -> BaseModelFile:
        download = self.located.download
        name = download.name if download else "base-model.safetensors"
        size = download.size if download else 0
        place = (self.cache.models / name).absolute()
        return BaseModelFile(path=place, format="safetensors", family=self.family.name, size=size)

    def launch(self, run: RunPaths) -> LaunchPlan:
        """Give the command that would run."""
        return self.engine.launch_plan(
            run, script=self.family.script, choices=self.choices, gpu_ids=self.config.engine.gpu_ids
        )
