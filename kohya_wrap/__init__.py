"""Train a LoRA with sd-scripts from a preset: run(preset) does the rest."""

from kohya_wrap._version import __version__
from kohya_wrap.errors import KohyaWrapError, Problem
from kohya_wrap.events import Event
from kohya_wrap.pipeline import RunResult, load_preset, plan, run
from kohya_wrap.planning import Plan
from kohya_wrap.record import RunRecord

__all__ = [
    "Event",
    "KohyaWrapError",
    "Plan",
    "Problem",
    "RunRecord",
    "RunResult",
    "__version__",
    "load_preset",
    "plan",
    "run",
]
