"""Rules of [structure]: ranks, their scales, and what the kinds of LoRA use."""

from collections.abc import Iterator

from kohya_wrap.config.model import TrainConfig
from kohya_wrap.config.rules.rule import Rule, Stated, unused, warning
from kohya_wrap.errors import Problem


def _convolutions(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    structure = config.structure
    if structure.lora_type == "LoRA":
        for where in ("structure.conv_dim", "structure.conv_alpha"):
            yield from unused(stated, where, 'with lora_type "LoRA"')
    elif structure.conv_alpha > structure.conv_dim:
        what = f"{structure.conv_alpha:g} is more than conv_dim ({structure.conv_dim}): it multiplies the learning rate"
        yield warning("structure.conv_alpha", what, "conv_dim or half of it is usual")
    if "Lycoris" not in structure.lora_type:
        yield from unused(stated, "structure.conv_compression", f'with lora_type "{structure.lora_type}"')


def _alpha(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    del stated
    structure = config.structure
    if structure.network_alpha > structure.network_dim:
        what = f"{structure.network_alpha:g} is more than network_dim ({structure.network_dim})"
        todo = "network_dim or half of it is usual"
        yield warning("structure.network_alpha", f"{what}: it multiplies the learning rate", todo)


def _lycoris(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    del stated
    kind = config.structure.lora_type
    if "Lycoris" in kind and config.engine.python:
        what = f"{kind!r} needs the package lycoris-lora, and engine.python is your own environment"
        yield warning("structure.lora_type", what, "see that it is installed there")


RULES: tuple[Rule, ...] = (_convolutions, _alpha, _lycoris)
