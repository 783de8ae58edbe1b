"""What the notebook changes by itself in what was asked for: Prodigy's and dadapt's values and arguments."""

from collections.abc import Mapping

from kohya_wrap.config.base import Table
from kohya_wrap.config.model import TrainConfig
from kohya_wrap.config.optimizers import adapts_learning_rate, find_optimizer

NOTEBOOK_ARGS = ("decouple=True", "weight_decay=0.01", "betas=[0.9,0.999]")
"""Arguments the notebook gives Prodigy and every dadapt when none are given."""

PRODIGY_ARGS = ("d_coef=2", "use_bias_correction=True")
"""Further ones for Prodigy; safeguard_warmup follows the warm-up."""


def resolve(config: TrainConfig) -> tuple[TrainConfig, dict[str, str]]:
    """Apply override_values_for_dadapt_and_prodigy and the default optimizer_args.

    Gives the config that takes effect, and for each "table.key" that changed the reason. Resolving twice is resolving
    once. Source: Lora_Trainer, "Cool code goes here".
    """
    name = config.optimizer.optimizer
    if not adapts_learning_rate(name):
        return config, {}
    reasons: dict[str, str] = {}
    if config.optimizer.override_values_for_dadapt_and_prodigy:
        config = _apply(config, _overrides(config), f"override_values_for_dadapt_and_prodigy with {name}", reasons)
    if not config.optimizer.optimizer_args:
        given = {"optimizer": {"optimizer_args": default_args(config)}}
        config = _apply(config, given, f"the notebook's arguments for {name}", reasons)
    return config, reasons


def default_args(config: TrainConfig) -> tuple[str, ...]:
    """Give the arguments for a Prodigy or dadapt that was given none.

    Exactly the notebook's, but for those that the optimizer of that name would fail on (DAdaptLion takes no decouple);
    with fidelity "notebook" those too.
    """
    name = config.optimizer.optimizer
    wanted: tuple[str, ...] = NOTEBOOK_ARGS
    if name.lower() == "prodigy":
        wanted += (*PRODIGY_ARGS, f"safeguard_warmup={config.learning.lr_warmup_ratio > 0}")
    known = find_optimizer(name)
    if known is None or config.engine.fidelity == "notebook":
        return wanted
    fitting = (arg for arg in wanted if arg.partition("=")[0] in known.args)
    return tuple(arg for arg in fitting if known.betas == 2 or not arg.startswith("betas="))


def _overrides(config: TrainConfig) -> Mapping[str, Mapping[str, object]]:
    return {
        "learning": {
            "unet_lr": 0.5,
            "text_encoder_lr": 0.5,
            "lr_scheduler": "constant_with_warmup",
            "lr_warmup_ratio": 0.05,
        },
        "structure": {"network_alpha": config.structure.network_dim},
    }


def _apply(
    config: TrainConfig, values: Mapping[str, Mapping[str, object]], reason: str, reasons: dict[str, str]
) -> TrainConfig:
    """Give a config with these values; note in `reasons` those that differ. Unchanged tables stay the same objects."""
    tables: dict[str, Table] = {}
    for table, wanted in values.items():
        old: Table = getattr(config, table)
        changed = {key: value for key, value in wanted.items() if getattr(old, key) != value}
        if changed:
            tables[table] = old.model_copy(update=changed)
            reasons.update({f"{table}.{key}": reason for key in changed})
    return config.model_copy(update=tables) if tables else config
