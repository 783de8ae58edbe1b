"""Values of passed-through options that the engine accepts and then trains something else, or fails on late.

Source: sections 1.2 and 1.3 of the facts measured on the pinned engine.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from kohya_wrap.config import SetupConfig
from kohya_wrap.errors import Problem

Values = Mapping[str, object]
Tables = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Pitfall:
    """One trap: `springs` is called with the sound options of [sd_scripts] and all tables of the preset."""

    option: str
    springs: Callable[[Values, Tables], bool]
    what: str
    todo: str
    severity: Literal["error", "warning"] = "error"


def _field(tables: Tables, table: str, key: str, default: object) -> object:
    given = tables.get(table)
    return given.get(key, default) if isinstance(given, Mapping) else default


def _below(option: str, least: int) -> Callable[[Values, Tables], bool]:
    def springs(values: Values, tables: Tables) -> bool:
        del tables
        value = values.get(option)
        return isinstance(value, int | float) and value < least

    return springs


def _caches_latents(tables: Tables) -> bool:
    return bool(_field(tables, "engine", "cache_latents", default=True))


def setup_of(tables: Tables) -> SetupConfig:
    """Give [setup] as far as it can be read, unchecked: what else is wrong with it is said elsewhere."""
    given = tables.get("setup")
    table = given if isinstance(given, Mapping) else {}
    return SetupConfig.model_construct(**{key: table[key] for key in table.keys() & SetupConfig.model_fields.keys()})


def _v_prediction(values: Values, tables: Tables) -> bool:
    given = values.get("v_parameterization")
    return bool(setup_of(tables).predicts_v if given is None else given)


def _captions_change(values: Values, tables: Tables) -> bool:
    shuffled = _field(tables, "processing", "shuffle_tags", default=True)
    trained = _field(tables, "learning", "text_encoder_lr", default=1e-4)
    dropped = any(values.get(name) for name in ("caption_dropout_rate", "caption_tag_dropout_rate"))
    return bool(values["cache_text_encoder_outputs"] and (shuffled or trained or dropped))


def _timesteps_cross(values: Values, tables: Tables) -> bool:
    del tables
    low, high = values.get("min_timestep", 0), values.get("max_timestep", 1000)
    return isinstance(low, int) and isinstance(high, int) and low >= high


def _samples_without_prompts(values: Values, tables: Tables) -> bool:
    del tables
    return "sample_prompts" not in values


AT_LEAST_ONE = (
    "gradient_accumulation_steps",
    "save_every_n_steps",
    "vae_batch_size",
    "sample_every_n_steps",
    "sample_every_n_epochs",
)
NOT_WITH_CACHED_LATENTS = ("cannot go with cached latents", "set engine.cache_latents = false")
V_PREDICTION = "set v_parameterization = true under [sd_scripts] if the base model is one, else remove it"
SAMPLES = ("sample_every_n_steps", "sample_every_n_epochs", "sample_at_first")

PITFALLS: tuple[Pitfall, ...] = (
    *(Pitfall(name, _below(name, 1), "must be 1 or more", "leave it out to switch it off") for name in AT_LEAST_ONE),
    *(
        Pitfall(
            name,
            _samples_without_prompts,
            "needs sample_prompts; without it the engine fails at the end of the first epoch",
            "add sample_prompts with a file of prompts",
        )
        for name in SAMPLES
    ),
    Pitfall(
        "color_aug",
        lambda values, tables: bool(values["color_aug"]) and _caches_latents(tables),
        *NOT_WITH_CACHED_LATENTS,
    ),
    Pitfall(
        "random_crop",
        lambda values, tables: bool(values["random_crop"]) and _caches_latents(tables),
        *NOT_WITH_CACHED_LATENTS,
    ),
    Pitfall(
        "zero_terminal_snr",
        lambda values, tables: bool(values["zero_terminal_snr"]) and not _v_prediction(values, tables),
        "is for models with v-prediction",
        V_PREDICTION,
        "warning",
    ),
    Pitfall(
        "scale_v_pred_loss_like_noise_pred",
        lambda values, tables: bool(values["scale_v_pred_loss_like_noise_pred"]) and not _v_prediction(values, tables),
        "is for models with v-prediction; the engine refuses it",
        V_PREDICTION,
    ),
    Pitfall(
        "cache_text_encoder_outputs",
        _captions_change,
        "needs captions that stay as they are, and an untrained text encoder",
        "set processing.shuffle_tags = false and learning.text_encoder_lr = 0, and drop no captions",
    ),
    Pitfall(
        "adaptive_noise_scale",
        lambda values, tables: "noise_offset" not in values,
        "needs noise_offset",
        "add noise_offset, or remove it",
    ),
    *(
        Pitfall(
            name, _timesteps_cross, "leaves a single timestep to train on", "make min_timestep less than max_timestep"
        )
        for name in ("min_timestep", "max_timestep")
    ),
    Pitfall(
        "caption_dropout_rate",
        lambda values, tables: not _in_unit(values["caption_dropout_rate"]),
        "must lie between 0 and 1",
        "0.1 drops one caption in ten",
    ),
    Pitfall(
        "base_weights",
        lambda values, tables: True,
        "makes the engine train other layers than it should: 228 in the U-Net instead of 192",
        "merge those weights into the base model beforehand",
        "warning",
    ),
    Pitfall(
        "masked_loss",
        lambda values, tables: bool(values["masked_loss"]) and not values.get("alpha_mask"),
        "changes nothing without a mask",
        "add alpha_mask = true, or conditioning_data_dir in extras.custom_dataset",
        "warning",
    ),
    Pitfall(
        "deepspeed",
        lambda values, tables: bool(values["deepspeed"]),
        "needs an accelerate config of its own, which kohya_wrap does not write",
        "remove it",
    ),
)


def _in_unit(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def pitfalls(values: Values, tables: Tables) -> Iterator[Problem]:
    """List the traps that the given options of [sd_scripts] would spring."""
    for pitfall in PITFALLS:
        if pitfall.option in values and pitfall.springs(values, tables):
            yield Problem(f"sd_scripts.{pitfall.option}", pitfall.what, pitfall.todo, pitfall.severity)
