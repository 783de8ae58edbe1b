"""What each line of the engine's log means: a table from how the line begins to a phase and an event.

Source: facts 4.1 to 4.4, the logs recorded at the pinned commit.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kohya_wrap.events import (
    BucketCounted,
    CheckpointRemoved,
    CheckpointSaving,
    EpochStarted,
    Event,
    ImagesCounted,
    ModelSaved,
    ModulesCreated,
    PhaseName,
    StateSaved,
    TotalsKnown,
)
from kohya_wrap.sd_scripts.known_lines import DATASET_SETTINGS, ERRORS, QUIET, WARNINGS

MODEL_SAVED = "model saved."

_BUCKET = re.compile(r"bucket (\d+): resolution \((\d+), ?(\d+)\), ?count: ?(\d+)")
_MODULES = re.compile(r"create \w+ for (Text Encoder|U-Net): ?(\d+) modules")
_EPOCH = re.compile(r"epoch (\d+)/(\d+)")
_LAST_NUMBER = re.compile(r"[:=] ?(\d+)$")

Make = Callable[[str], Event | None]
Total = Literal["batches_per_epoch", "epochs", "steps", "batch_size", "gradient_accumulation_steps"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of line: how it begins, the phase it shows, the event it is. Neither: a known line that says nothing."""

    prefix: str
    phase: PhaseName | None = None
    event: Make | None = None
    level: Literal["", "WARNING", "ERROR"] = ""


def _bucket(text: str) -> Event | None:
    found = _BUCKET.match(text)
    return BucketCounted(*map(int, found.groups())) if found else None


def _modules(text: str) -> Event | None:
    found = _MODULES.match(text)
    if found is None:
        return None
    return ModulesCreated("unet" if found.group(1) == "U-Net" else "text_encoder", int(found.group(2)))


def _epoch(text: str) -> Event | None:
    found = _EPOCH.match(text)
    return EpochStarted(int(found.group(1)), int(found.group(2))) if found else None


def _images(kind: Literal["train", "reg", "validation"]) -> Make:
    def make(text: str) -> Event | None:
        found = _LAST_NUMBER.search(text)
        return ImagesCounted(kind, int(found.group(1))) if found else None

    return make


def _total(what: Total) -> Make:
    def make(text: str) -> Event | None:
        found = _LAST_NUMBER.search(text)
        return TotalsKnown(what, int(found.group(1))) if found else None

    return make


def _path_after(prefix: str) -> Callable[[str], Path]:
    return lambda text: Path(text[len(prefix) :].strip())


def _saving(text: str) -> Event:
    return CheckpointSaving(_path_after("saving checkpoint:")(text))


def _removed(text: str) -> Event:
    return CheckpointRemoved(Path(text.partition(":")[2].strip()))


def _state(text: str) -> Event:
    return StateSaved(_path_after("Random states saved in")(text).parent)


def _saved(text: str) -> Event | None:
    return ModelSaved() if text == MODEL_SAVED else None


RULES: tuple[Rule, ...] = (
    Rule("Loading settings from", "settings"),
    Rule("Using v1 tokenizer", "settings"),
    Rule("Using v2 tokenizer", "settings"),
    Rule("load tokenizer from cache", "settings"),
    Rule("Loading dataset config from", "dataset"),
    Rule("Using DreamBooth method", "dataset"),
    Rule("Training with captions", "dataset"),
    Rule("prepare images.", "dataset"),
    Rule("found directory", "dataset"),
    Rule("[Prepare dataset", "buckets"),
    Rule("make buckets", "buckets"),
    Rule("prepare dataset", "buckets"),
    Rule("bucket ", None, _bucket),
    Rule("loading model for process", "base-model"),
    Rule("load StableDiffusion checkpoint", "base-model"),
    Rule("load Diffusers pretrained", "base-model"),
    Rule("building U-Net", "base-model"),
    Rule("caching latents", "latents"),
    Rule("caching Text Encoder outputs", "latents"),
    Rule("import network module", "network"),
    Rule("create LoRA network", "network"),
    Rule("create LoRA for", None, _modules),
    Rule("create LyCORIS for", None, _modules),
    Rule("prepare optimizer", "optimizer"),
    Rule("running training", "training"),
    Rule("num train images", None, _images("train")),
    Rule("num validation images", None, _images("validation")),
    Rule("num reg images", None, _images("reg")),
    Rule("num batches per epoch", None, _total("batches_per_epoch")),
    Rule("num epochs", None, _total("epochs")),
    Rule("batch size per device", None, _total("batch_size")),
    Rule("gradient accumulation steps", None, _total("gradient_accumulation_steps")),
    Rule("total optimization steps", None, _total("steps")),
    Rule("epoch ", "training", _epoch),
    Rule("saving checkpoint:", "saving", _saving),
    Rule("removing old checkpoint:", None, _removed),
    Rule("removing old state:", None, _removed),
    Rule("saving state at", "saving"),
    Rule("saving last state", "saving"),
    Rule("Saving current state", "saving"),
    Rule("Random states saved in", None, _state),
    Rule("generating sample images", "samples"),
    Rule(MODEL_SAVED, "saving", _saved),
    *(Rule(prefix) for prefix in QUIET),
    *(Rule(prefix, level="WARNING") for prefix in WARNINGS),
    *(Rule(prefix, level="ERROR") for prefix in ERRORS),
)

PHASE_ORDER: tuple[PhaseName, ...] = (
    "settings",
    "dataset",
    "buckets",
    "base-model",
    "latents",
    "network",
    "optimizer",
    "training",
)
"""Phases before the first step only go forward: several processes report each of theirs."""


def _by_first_character() -> dict[str, tuple[Rule, ...]]:
    table: dict[str, list[Rule]] = {}
    for rule in sorted(RULES, key=lambda rule: -len(rule.prefix)):
        table.setdefault(rule.prefix[0], []).append(rule)
    return {character: tuple(rules) for character, rules in table.items()}


_TABLE = _by_first_character()


def find_rule(text: str) -> Rule | None:
    """Give the rule for a line without indentation; the longest prefix wins. None: not known."""
    for rule in _TABLE.get(text[:1], ()):
        if text.startswith(rule.prefix):
            return rule
    return None


def is_echo(text: str) -> bool:
    """Say whether a line is one of the settings or counts that the engine echoes and that carry no event."""
    return text.partition(":")[0] in DATASET_SETTINGS or text.endswith("images with repeats.")
