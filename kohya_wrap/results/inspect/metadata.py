"""What a LoRA's metadata tells of its training: sd-scripts' ss_ keys, the Model Spec's, those of other trainers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from kohya_wrap.results.inspect.tags import (
    DatasetFolder,
    activation_tags,
    dataset_folders,
    datasets_of,
    subsets_of,
    tag_frequencies,
    total_counts,
)
from kohya_wrap.results.lora_file import whole
from kohya_wrap.results.parameters.resources import loads

_ARCHITECTURES = (
    ("stable-diffusion-xl", "sdxl"),
    ("stable-diffusion-v1", "sd15"),
    ("stable-diffusion-v2", "sd2"),
    ("stable-diffusion-3", "sd3"),
    ("flux", "flux"),
    ("lumina", "lumina"),
    ("hunyuan-image", "hunyuan-image"),
)
_VERSIONS = (
    ("sdxl", "sdxl"),
    ("sd_v1", "sd15"),
    ("sd_v2", "sd2"),
    ("sd3", "sd3"),
    ("flux", "flux"),
    ("lumina", "lumina"),
)
_BASE_LICENCES = {
    "sd15": "CreativeML Open RAIL-M",
    "sd2": "CreativeML Open RAIL++-M",
    "sdxl": "CreativeML Open RAIL++-M",
    "sd3": "Stability AI Community License",
    "flux": "FLUX.1 [dev] Non-Commercial License (schnell: Apache-2.0)",
}
_SETTINGS = (
    *("resolution", "batch_size_per_device", "total_batch_size", "learning_rate", "unet_lr", "text_encoder_lr"),
    *("optimizer", "lr_scheduler", "lr_warmup_steps", "min_snr_gamma", "noise_offset", "clip_skip", "seed"),
    *("mixed_precision", "max_token_length", "network_module", "network_args", "network_dropout"),
    *("gradient_checkpointing", "cache_latents", "noise_offset", "multires_noise_iterations", "loss_type"),
    *("shuffle_caption", "keep_tokens", "flip_aug", "training_comment"),
)
_HEX = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """What the metadata says; empty text, 0 or None where it is silent.

    `activation_tags_by`: how the tags that call the LoRA were told from the others. `tag_counts`: most frequent first.
    `base_sha256`, `base_hash`: the base model's SHA256 and its old short hash. Source: sd-scripts' train_network.py.
    """

    title: str = ""
    family: str = "unknown"
    dim: str = ""
    alpha: float | None = None
    base_model: str = ""
    base_sha256: str = ""
    base_hash: str = ""
    activation_tags: tuple[str, ...] = ()
    activation_tags_by: str = ""
    tag_counts: Mapping[str, int] = field(default_factory=dict)
    folders: tuple[DatasetFolder, ...] = ()
    train_images: int = 0
    steps: int = 0
    epoch: int = 0
    epochs: int = 0
    seconds: float | None = None
    engine: str = ""
    licence: str = ""
    model_hash: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def training_facts(metadata: Mapping[str, str]) -> TrainingFacts:
    """Read the metadata of a LoRA; never raises, whatever the values are."""
    said = {key: value for key, value in metadata.items() if value not in {"", "None"}}
    folders = dataset_folders(said)
    tags = tag_frequencies(said)
    activation, by = activation_tags(said, folders, tags)
    return TrainingFacts(
        title=said.get("modelspec.title") or said.get("ss_output_name", ""),
        family=(family := _family(said)),
        dim=said.get("ss_network_dim", ""),
        alpha=_float(said.get("ss_network_alpha")),
        base_model=said.get("ss_sd_model_name", ""),
        base_sha256=_hex(said.get("ss_new_sd_model_hash")),
        base_hash=_hex(said.get("ss_sd_model_hash")),
        activation_tags=activation,
        activation_tags_by=by,
        tag_counts=total_counts(tags.values()),
        folders=folders,
        train_images=whole(said.get("ss_num_train_images")),
        steps=whole(said.get("ss_steps")),
        epoch=whole(said.get("ss_epoch")),
        epochs=whole(said.get("ss_num_epochs")),
        seconds=_seconds(said),
        engine=_engine(said),
        licence=_licence(said, family),
        model_hash=_hex(said.get("sshs_model_hash")),
        settings=_settings(said),
    )


def _family(said: Mapping[str, str]) -> str:
    version, architecture = said.get("ss_base_model_version", ""), said.get("modelspec.architecture", "").lower()
    by_version = (family for start, family in _VERSIONS if version.startswith(start))
    by_architecture = (family for start, family in _ARCHITECTURES if architecture.startswith(start))
    return next(by_version, next(by_architecture, "unknown"))


def _engine(said: Mapping[str, str]) -> str:
    software = loads(said.get("software", ""))
    if isinstance(software, dict):
        return f"{software.get('name', '')} {software.get('version', '')}".strip()
    if any(key.startswith("ot_") for key in said):
        return "OneTrainer"
    commit = said.get("ss_sd_scripts_commit_hash", "")
    if commit == "embedded":
        return "kohya_wrap's embedded engine"
    if commit or "ss_network_module" in said:
        return f"sd-scripts {commit[:12]}".strip()
    return said.get("modelspec.implementation", "")


def _licence(said: Mapping[str, str], family: str) -> str:
    if licence := said.get("modelspec.license") or said.get("license"):
        return licence
    if family in _BASE_LICENCES:
        base = _BASE_LICENCES[family]
        return f"none named; the base family's is {base}, and the model it was trained on may ask for more"
    return "none named"


def _settings(said: Mapping[str, str]) -> dict[str, str]:
    settings = {key: said[f"ss_{key}"] for key in _SETTINGS if f"ss_{key}" in said}
    first, dataset = next(iter(subsets_of(said)), {}), next(iter(datasets_of(said)), {})
    for key in ("resolution", "batch_size_per_device", "shuffle_caption", "keep_tokens", "flip_aug"):
        value = first.get(key, dataset.get(key))
        if value is not None:
            text = "x".join(map(str, value)) if isinstance(value, list) else str(value)
            settings.setdefault(key, text)
    return settings


def _seconds(said: Mapping[str, str]) -> float | None:
    started, finished = _float(said.get("ss_training_started_at")), _float(said.get("ss_training_finished_at"))
    return finished - started if started and finished and finished >= started else None


def _hex(text: str | None) -> str:
    text = (text or "").lower()
    return text if _HEX.fullmatch(text) else ""


def _float(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if abs(value) < 1e15 else None
