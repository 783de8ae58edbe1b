"""The notebook's sliders: outside them a preset is warned about, not refused."""

from collections.abc import Iterator

from kohya_wrap.config.base import Slider, Table
from kohya_wrap.config.model import TrainConfig
from kohya_wrap.config.rules.rule import Rule, Stated, warning
from kohya_wrap.errors import Problem

_XL = {"processing.resolution": Slider(768, 1536, 128), "steps.train_batch_size": Slider(1, 16)}
"""Sliders that are others in Lora_Trainer_XL."""


def _sliders(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    for table_name in TrainConfig.model_fields:
        table = getattr(config, table_name)
        if not isinstance(table, Table):
            continue
        for key, info in type(table).model_fields.items():
            for slider in info.metadata:
                where = f"{table_name}.{key}"
                if isinstance(slider, Slider) and stated(where) and not _expected(config, where):
                    xl = _XL.get(where) if config.setup.family == "sdxl" else None
                    yield from _outside(where, getattr(table, key), xl or slider)


def _outside(where: str, value: float, slider: Slider) -> Iterator[Problem]:
    if not slider.low <= value <= slider.high:
        what = f"{value:g} lies outside the notebook's range {slider.low:g} to {slider.high:g}"
        yield warning(where, what, "nothing to do if it is meant")


def _expected(config: TrainConfig, where: str) -> bool:
    """Say whether a value outside is the only sensible one: the toy base model is made for tiny pictures."""
    setup = config.setup
    toy = setup.training_model == "Tiny random" and not setup.optional_custom_training_model_url
    return toy and where == "processing.resolution"


RULES: tuple[Rule, ...] = (_sliders,)
