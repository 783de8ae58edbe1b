"""Rules across fields: errors for what the engine cannot do, warnings for what is unusual or changes nothing."""

from collections.abc import Iterator

from kohya_wrap.config.model import TrainConfig
from kohya_wrap.config.resolve import resolve
from kohya_wrap.config.rules import captions, learning, length, naming, sliders, structure
from kohya_wrap.config.rules.length import check_total_steps
from kohya_wrap.config.rules.rule import Rule, warning
from kohya_wrap.errors import Problem

__all__ = ["RULES", "check", "check_total_steps"]

RULES: tuple[Rule, ...] = tuple(
    rule for room in (naming, captions, length, learning, structure, sliders) for rule in room.RULES
)
"""Every rule, in the order of a preset's tables."""


def check(config: TrainConfig) -> list[Problem]:
    """List what is wrong with a preset as it was written, judged by the values that take effect (`resolve`).

    What needs the pictures or the machine is not known here: check_total_steps and hardware.choose come later.
    """
    effective, reasons = resolve(config)

    def stated(where: str) -> bool:
        return where not in reasons and _stated(config, where)

    found = [problem for rule in RULES for problem in rule(effective, stated)]
    return [*_replaced(config, effective, reasons), *found]


def _stated(config: TrainConfig, where: str) -> bool:
    """Say whether a field was written down with another value than its default.

    Who copies all of the notebook's values over writes defaults too, and wants to hear nothing about them.
    """
    name, _, key = where.partition(".")
    table = getattr(config, name)
    return key in table.model_fields_set and getattr(table, key) != type(table).model_fields[key].default


def _replaced(config: TrainConfig, effective: TrainConfig, reasons: dict[str, str]) -> Iterator[Problem]:
    """Warn about values that were written down and do not take effect."""
    for where, reason in reasons.items():
        table, _, key = where.partition(".")
        if _stated(config, where):
            old, new = getattr(getattr(config, table), key), getattr(getattr(effective, table), key)
            todo = "set optimizer.override_values_for_dadapt_and_prodigy = false to keep yours"
            yield warning(where, f"{old!r} is replaced by {new!r} ({reason})", todo)
