"""run() that steps down: after each out-of-memory stop the next cheapest change is made, and the run begins again."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kohya_wrap import pipeline
from kohya_wrap.config.less_memory import Step, steps_down
from kohya_wrap.errors import OutOfMemoryError, Problem
from kohya_wrap.events import RunWarning
from kohya_wrap.pipeline import OnEvent, RunResult, load_preset, plan
from kohya_wrap.planning import Plan
from kohya_wrap.presets import LoadedPreset


def run(
    preset: str | Path | LoadedPreset | Plan,
    *,
    root: Path | str | None = None,
    overrides: Sequence[str] = (),
    on_event: OnEvent | None = None,
    offline: bool = False,
) -> RunResult:
    """Train a LoRA from a preset and leave it in the project's output folder, with a record of the run.

    Everything is checked before anything is written. Raises a KohyaWrapError that says what to do; a run that
    began has its record closed with the reason, and keeps what was saved. With [engine] on_out_of_memory =
    "step down" a run whose memory ran out is followed by one that needs less, until one succeeds or nothing is left
    to change; the record of each says, in `preset.overrides` and `warnings`, what was changed and why.
    """
    planned = preset if isinstance(preset, Plan) else plan(preset, root=root, overrides=overrides)
    while True:
        try:
            return pipeline.run(planned, on_event=on_event, offline=offline)
        except OutOfMemoryError as error:
            steps = steps_down(planned.config)
            if planned.config.engine.on_out_of_memory != "step down" or not steps:
                raise
            warning = RunWarning(f"{error.what}; trying again with {' and '.join(steps[0].overrides)}")
        if on_event is not None:
            on_event(warning)
        planned = _with_step(planned, steps[0], warning.text)


def _with_step(planned: Plan, step: Step, why: str) -> Plan:
    """Plan the same preset again with one more change, and with what was said about it among the warnings."""
    overrides = (*planned.overrides, *step.overrides)
    loaded = load_preset(planned.preset.path, overrides=overrides)
    again = plan(loaded, root=planned.root, overrides=overrides, cache=planned.cache)
    before = tuple(problem for problem in planned.findings.preset if problem.code == _CODE)
    said = Problem(step.values[0][0], why, severity="warning", code=_CODE)
    return replace(again, findings=replace(again.findings, preset=(*again.findings.preset, *before, said)))


_CODE = "stepped-down"
