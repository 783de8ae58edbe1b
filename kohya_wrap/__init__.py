"""Train a LoRA with sd-scripts from a preset: run(preset) does the rest."""

from importlib import import_module
from typing import TYPE_CHECKING

from kohya_wrap._version import __version__
from kohya_wrap.errors import KohyaWrapError, Problem
from kohya_wrap.events import Event

if TYPE_CHECKING:
    from kohya_wrap.pipeline import RunResult, load_preset, plan
    from kohya_wrap.planning import Plan
    from kohya_wrap.record import RunRecord
    from kohya_wrap.reproducing import Reproduction, reproduce
    from kohya_wrap.resuming import resume
    from kohya_wrap.stepping_down import run

_LATER = {
    "Plan": "planning",
    "Reproduction": "reproducing",
    "RunRecord": "record",
    "RunResult": "pipeline",
    "load_preset": "pipeline",
    "plan": "pipeline",
    "reproduce": "reproducing",
    "resume": "resuming",
    "run": "stepping_down",
}
"""Public names by the module that has them: loaded when first asked for, so that one room alone imports fast."""

__all__ = [
    "Event",
    "KohyaWrapError",
    "Plan",
    "Problem",
    "Reproduction",
    "RunRecord",
    "RunResult",
    "__version__",
    "load_preset",
    "plan",
    "reproduce",
    "resume",
    "run",
]


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value
