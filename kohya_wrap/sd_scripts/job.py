"""Everything that one training needs, gathered; the TOML files are a pure function of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.base_models.types import BaseModelFile
from kohya_wrap.config import HardwareChoices, TrainConfig
from kohya_wrap.dataset.types import PreparedDataset
from kohya_wrap.families import Family
from kohya_wrap.paths import RunPaths, expanded


@dataclass(frozen=True, slots=True)
class StepPlan:
    """How long the engine will train, as the engine itself will count.

    `planned_steps` is the notebook's own figure (pictures x repeats / batch, buckets not considered); the warm-up is a
    part of it. `batches_per_epoch` is per process; with gradient accumulation several of them make a step.
    """

    batches_per_epoch: int
    epochs: int
    total_steps: int
    planned_steps: int
    warmup_steps: int
    steps_per_epoch: int


@dataclass(frozen=True, slots=True)
class Overrides:
    """Ready-made TOML files of the user in place of the fields, as read by sd_scripts.overrides; None: none given."""

    training: Mapping[str, object] | None = None
    dataset: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Continuation:
    """Where a run goes on that was interrupted: a state folder, and the whole epochs and the steps done by then.

    Epochs keep their numbers. `uncounted`: how many of the steps the engine forgets, which are those of the whole
    epochs: it begins again at 0, or at what was done of the epoch that it goes on in.
    """

    state: Path
    epoch: int
    steps: int
    uncounted: int


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One training, ready to be written down. All paths are absolute. `tokenizer_dir`: tokenizer_cache_dir, if any.

    `root`: where relative paths of the preset start; the engine runs in another folder. None: they are left as given.
    """

    config: TrainConfig
    family: Family
    base_model: BaseModelFile
    dataset: PreparedDataset
    choices: HardwareChoices
    steps: StepPlan
    run: RunPaths
    tokenizer_dir: Path | None = None
    vae: Path | None = None
    overrides: Overrides = Overrides()
    root: Path | None = None
    continuation: Continuation | None = None

    @property
    def steps_before(self) -> int:
        """Steps that were done before this run took over."""
        return self.continuation.steps if self.continuation else 0

    @property
    def uncounted(self) -> int:
        """Steps that are missing in the engine's own numbers."""
        return self.continuation.uncounted if self.continuation else 0

    def place(self, given: str) -> str:
        """Give a path of the preset as the engine must see it: absolute, "~" expanded."""
        return given if self.root is None else str(self.root / expanded(given))
