"""Rules of [steps] and of what a run goes on from."""

from collections.abc import Iterator

from kohya_wrap.config.model import TrainConfig
from kohya_wrap.config.rules.rule import Rule, Stated, unused, warning
from kohya_wrap.errors import Problem

_FEW_STEPS = 100
_MANY_EPOCHS = 200


def check_total_steps(steps: int, limit: int) -> list[Problem]:
    """Refuse more optimizer steps than the limit. Source: Lora_Trainer's check before it starts (10,000)."""
    if steps <= limit:
        return []
    what = f"{steps} steps are more than the limit of {limit}; that is usually a mistake"
    todo = f"lower num_repeats or how_many, or set steps.max_total_steps = {steps} if it is meant"
    return [Problem("steps.max_total_steps", what, todo)]


def _unit(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    steps = config.steps
    if steps.preferred_unit == "Steps" and steps.how_many < _FEW_STEPS:
        given = "it is" if stated("steps.how_many") else "its default is"
        what = f"preferred_unit is Steps and {given} {steps.how_many}: that trains next to nothing"
        yield warning("steps.how_many", what, 'for example 2000, or set steps.preferred_unit = "Epochs"')
    if steps.preferred_unit == "Epochs" and steps.how_many > _MANY_EPOCHS:
        what = f"{steps.how_many} epochs are unusually many"
        yield warning("steps.how_many", what, 'set steps.preferred_unit = "Steps" if steps are meant')


def _saving(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    steps = config.steps
    every = steps.save_every_n_epochs
    if every == 0 and steps.keep_only_last_n_epochs:
        yield from unused(stated, "steps.keep_only_last_n_epochs", "while save_every_n_epochs is 0: one LoRA is saved")
    if steps.preferred_unit == "Epochs" and every > steps.how_many and stated("steps.save_every_n_epochs"):
        what = f"{every} is more than the {steps.how_many} epochs of the run: only the last one is saved"
        yield warning("steps.save_every_n_epochs", what, "set it to 1 to keep every epoch, or to 0 if this is meant")


def _going_on(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    del stated
    training = config.training
    if training.continue_from_lora and not training.continue_from_lora.lower().endswith(".safetensors"):
        what = f"{training.continue_from_lora!r} is no .safetensors file"
        yield Problem("training.continue_from_lora", what, "give the path of a LoRA that ends in .safetensors")
    if training.continue_from_lora and training.resume:
        what = "is not used: resume brings its own weights"
        yield warning("training.continue_from_lora", what, "remove one of the two")


def _states(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    key = "training.save_state_every_n_steps"
    every = config.training.save_state_every_n_steps
    if not config.training.save_state:
        yield from unused(stated, key, "while training.save_state is false")
        yield from unused(stated, "training.keep_only_last_n_states", "while training.save_state is false")
    elif every and "save_every_n_steps" in config.sd_scripts:
        yield Problem(key, "means the same as sd_scripts.save_every_n_steps", "remove one of the two")
    elif every and config.sd_scripts.get("gradient_accumulation_steps", 1) != 1:
        what = "cannot go with gradient_accumulation_steps: sd-scripts miscounts when it goes on within an epoch"
        yield Problem(key, what, "set it to 0, and keep the states of epochs")


RULES: tuple[Rule, ...] = (_unit, _saving, _states, _going_on)
