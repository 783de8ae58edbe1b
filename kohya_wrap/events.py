"""The typed things that happen in a run, in the order they can occur. Steps and epochs count from 1."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PhaseName = Literal[
    "settings",
    "dataset",
    "buckets",
    "base-model",
    "latents",
    "network",
    "optimizer",
    "training",
    "saving",
    "samples",
    "verifying",
]


@dataclass(frozen=True, slots=True)
class Phase:
    """The engine entered a phase; emitted once per change."""

    name: PhaseName


@dataclass(frozen=True, slots=True)
class ImagesCounted:
    """The engine's own count of pictures times repeats. `kind` tells training from regularization pictures."""

    kind: Literal["train", "reg", "validation"]
    count: int


@dataclass(frozen=True, slots=True)
class BucketCounted:
    """One aspect-ratio bucket: its size in pixels and how many pictures (with repeats) fell into it."""

    index: int
    width: int
    height: int
    count: int


@dataclass(frozen=True, slots=True)
class ModulesCreated:
    """How many LoRA modules the engine made for one part of the model."""

    part: Literal["text_encoder", "unet"]
    count: int


@dataclass(frozen=True, slots=True)
class TotalsKnown:
    """A number from the engine's summary before the first step."""

    what: Literal["batches_per_epoch", "epochs", "steps", "batch_size", "gradient_accumulation_steps"]
    count: int


@dataclass(frozen=True, slots=True)
class EpochStarted:
    """Epoch `epoch` of `total` began."""

    epoch: int
    total: int


@dataclass(frozen=True, slots=True)
class Step:
    """Optimizer step `step` of `total` is done. `loss` is the engine's moving average, None before the first."""

    step: int
    total: int
    loss: float | None
    seconds_per_step: float | None


FETCHING = "fetching"
"""Label of the wrapper's own progress while it downloads, in bytes; a total of 0 is not known."""


DRAWING = "drawing test pictures"
"""Label of the wrapper's own progress while it draws, in pictures."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A bar other than the training bar: the engine's own (latents, image sizes, samples), FETCHING or DRAWING."""

    label: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class CheckpointSaving:
    """The engine began to write `path`; it is whole only once something later is printed."""

    path: Path


@dataclass(frozen=True, slots=True)
class CheckpointRemoved:
    """The engine removed an old checkpoint or state."""

    path: Path


@dataclass(frozen=True, slots=True)
class StateSaved:
    """The engine wrote a training state folder."""

    path: Path


@dataclass(frozen=True, slots=True)
class ModelSaved:
    """The engine's own last word: "model saved."."""


@dataclass(frozen=True, slots=True)
class EngineWarning:
    """A warning of the engine, in its words."""

    text: str


@dataclass(frozen=True, slots=True)
class RunWarning:
    """Something that the wrapper itself found odd about a run, in one or two sentences; the record keeps it."""

    text: str


@dataclass(frozen=True, slots=True)
class EngineFailure:
    """An error line of the engine, in its words, or the last line of a traceback."""

    text: str


@dataclass(frozen=True, slots=True)
class UnknownLine:
    """A line that no rule knows, kept as it came."""

    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the wrapper itself decided or did, in one sentence."""

    text: str


Event = (
    Phase
    | ImagesCounted
    | BucketCounted
    | ModulesCreated
    | TotalsKnown
    | EpochStarted
    | Step
    | Progress
    | CheckpointSaving
    | CheckpointRemoved
    | StateSaved
    | ModelSaved
    | EngineWarning
    | RunWarning
    | EngineFailure
    | UnknownLine
    | Notice
)
