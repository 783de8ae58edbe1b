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
    Rule("get image size from name of"),
    Rule("set image size from cache files"),
    Rule("[Dataset "),
    Rule("[Subset "),
    Rule("[Prepare dataset", "buckets"),
    Rule("loading image sizes"),
    Rule("make buckets", "buckets"),
    Rule("prepare dataset", "buckets"),
    Rule("number of images (including"),
    Rule("bucket ", None, _bucket),
    Rule("mean ar error"),
    Rule("preparing accelerator"),
    Rule("accelerator device"),
    Rule("loading model for process", "base-model"),
    Rule("load StableDiffusion checkpoint", "base-model"),
    Rule("load Diffusers pretrained", "base-model"),
    Rule("building U-Net", "base-model"),
    Rule("loading U-Net from"),
    Rule("building text encoders"),
    Rule("building VAE"),
    Rule("loading text encoders"),
    Rule("text encoder 1:"),
    Rule("text encoder 2:"),
    Rule("U-Net: <All keys"),
    Rule("VAE: <All keys"),
    Rule("U-Net converted to"),
    Rule("UNet2DConditionModel:"),
    Rule("loading u-net"),
    Rule("loading vae"),
    Rule("additional VAE"),
    Rule("loading text encoder"),
    Rule("Enable SDPA"),
    Rule("Enable xformers"),
    Rule("Enable memory efficient"),
    Rule("Use Diffusers xformers"),
    Rule("caching latents", "latents"),
    Rule("checking cache validity"),
    Rule("caching Text Encoder outputs", "latents"),
    Rule("move vae and unet to cpu"),
    Rule("move vae and unet back"),
    Rule("import network module", "network"),
    Rule("create LoRA network", "network"),
    Rule("neuron dropout"),
    Rule("apply LoRA to Conv2d"),
    Rule("create LoRA for", None, _modules),
    Rule("create LyCORIS for", None, _modules),
    Rule("Create LyCORIS Module"),
    Rule("Using rank adaptation algo"),
    Rule("Apply different"),
    Rule("Conv Dim:"),
    Rule("Conv alpha:"),
    Rule("Use Dropout value"),
    Rule("module type table"),
    Rule("enable LoRA for"),
    Rule("enable LyCORIS for"),
    Rule("load network weights from"),
    Rule("weights are loaded"),
    Rule("merging module"),
    Rule("all weights merged"),
    Rule("NO LR skipping"),
    Rule("prepare optimizer", "optimizer"),
    Rule("use "),
    Rule("text_encoder is not needed"),
    Rule("override steps"),
    Rule("enable full"),
    Rule("enable fp8"),
    Rule("set U-Net weight dtype"),
    Rule("resume training from"),
    Rule("load train state from"),
    Rule("running training", "training"),
    Rule("num train images", None, _images("train")),
    Rule("num validation images", None, _images("validation")),
    Rule("num reg images", None, _images("reg")),
    Rule("num batches per epoch", None, _total("batches_per_epoch")),
    Rule("num epochs", None, _total("epochs")),
    Rule("batch size per device", None, _total("batch_size")),
    Rule("gradient accumulation steps", None, _total("gradient_accumulation_steps")),
    Rule("total optimization steps", None, _total("steps")),
    Rule("unet dtype"),
    Rule("text_encoder ["),
    Rule("epoch is incremented"),
    Rule("epoch ", "training", _epoch),
    Rule("saving checkpoint:", "saving", _saving),
    Rule("removing old checkpoint:", None, _removed),
    Rule("removing old state:", None, _removed),
    Rule("saving state at", "saving"),
    Rule("saving last state", "saving"),
    Rule("Saving current state", "saving"),
    Rule("save train state to"),
    Rule("Model weights saved in"),
    Rule("Optimizer state saved in"),
    Rule("Scheduler state saved in"),
    Rule("Sampler state for dataloader"),
    Rule("Gradient scaler state saved in"),
    Rule("Random states saved in", None, _state),
    Rule("Loading states from"),
    Rule("All model weights loaded"),
    Rule("All optimizer states loaded"),
    Rule("All scheduler states loaded"),
    Rule("All dataloader sampler states loaded"),
    Rule("All random states loaded"),
    Rule("Loading in 0 custom states"),
    Rule("generating sample images", "samples"),
    Rule("prompt:"),
    Rule("negative_prompt:"),
    Rule("height:"),
    Rule("width:"),
    Rule("sample_steps:"),
    Rule("scale:"),
    Rule("sample_sampler:"),
    Rule("seed:"),
    Rule(MODEL_SAVED, "saving", _saved),
    # bitsandbytes says this on every machine without that package; nothing follows from it.
    Rule("Failed to load CPU gemm"),
    # With console_log_simple a line does not say its level; these are known by how they begin.
    Rule("no regularization images", level="WARNING"),
    Rule("some of reg images are not used", level="WARNING"),
    Rule("ignore subset with", level="WARNING"),
    Rule("ignore duplicated subset", level="WARNING"),
    Rule("not directory:", level="WARNING"),
    Rule("neither caption file nor", level="WARNING"),
    Rule("No caption file found", level="WARNING"),
    Rule("failed to get image size", level="WARNING"),
    Rule("min_bucket_reso and max_bucket_reso are ignored", level="WARNING"),
    Rule("cache_latents_to_disk is enabled", level="WARNING"),
    Rule("v2 with clip_skip", level="WARNING"),
    Rule("clip_skip will be unexpected", level="WARNING"),
    Rule("zero_terminal_snr is enabled", level="WARNING"),
    Rule("v_parameterization should be", level="WARNING"),
    Rule("unet_lr and text_encoder_lr are ignored", level="WARNING"),
    Rule("learning rate is used as initial_lr", level="WARNING"),
    Rule("learning rate is too low", level="WARNING"),
    Rule("when multiple learning rates", level="WARNING"),
    Rule("constant_with_warmup will be good", level="WARNING"),
    Rule("Could not load random states", level="WARNING"),
    Rule("NaN found in latents", level="WARNING"),
    Rule("epoch is not incremented", level="WARNING"),
    Rule("illegal char in file", level="ERROR"),
    Rule("No data found", level="ERROR"),
    Rule("Error loading file", level="ERROR"),
    Rule("Invalid user config", level="ERROR"),
    Rule("model is not found as a file", level="ERROR"),
    Rule("No prompt file", level="ERROR"),
    Rule("Config file already exists", level="ERROR"),
)

DATASET_SETTINGS = frozenset(
    {
        "batch_size",
        "resolution",
        "resize_interpolation",
        "enable_bucket",
        "min_bucket_reso",
        "max_bucket_reso",
        "bucket_reso_steps",
        "bucket_no_upscale",
        "image_dir",
        "image_count",
        "num_repeats",
        "shuffle_caption",
        "keep_tokens",
        "keep_tokens_separator",
        "caption_separator",
        "secondary_separator",
        "enable_wildcard",
        "caption_dropout_rate",
        "caption_dropout_every_n_epochs",
        "caption_tag_dropout_rate",
        "caption_prefix",
        "caption_suffix",
        "color_aug",
        "flip_aug",
        "face_crop_aug_range",
        "random_crop",
        "token_warmup_min",
        "token_warmup_step",
        "alpha_mask",
        "custom_attributes",
        "is_reg",
        "class_tokens",
        "caption_extension",
        "metadata_file",
        "network_multiplier",
        "validation_split",
        "validation_seed",
    }
)
"""Settings that the engine echoes per dataset and subset, one a line."""

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
