"""resume(): an interrupted run goes on from its newest whole state, to the end that was planned."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import toml

from kohya_wrap.errors import DatasetError, OutputError, PresetError, Problem
from kohya_wrap.files import write_whole
from kohya_wrap.paths import RunPaths
from kohya_wrap.pipeline import OnEvent, RunResult, plan, run
from kohya_wrap.planning import Plan
from kohya_wrap.record import RunRecord, find_records
from kohya_wrap.record.model import ContinuedEntry
from kohya_wrap.record.parts import changed_files, parts_of
from kohya_wrap.reproducing import root_of
from kohya_wrap.results.compare import flat
from kohya_wrap.results.states import TrainingState, find_states

_MAY_DIFFER = ("training.resume", "dataset.", "extras.zip", "samples.", "engine.stall_minutes", "engine.on_")
"""Settings that say nothing of the training itself; the pictures are compared by their hashes."""
_BOUND = (
    *("structure.", "setup.", "optimizer.", "learning.unet_lr", "learning.text_encoder_lr", "engine.name"),
    *("sd_scripts.network_", "sd_scripts.gradient_accumulation", "batches per epoch"),
)
"""What a state holds itself, so that another value would break it or change nothing: tensors, optimizer, counts."""


def resume(
    record: RunRecord,
    *,
    planned: Plan | None = None,
    changed: bool = False,
    on_event: OnEvent | None = None,
    offline: bool = False,
) -> RunResult:
    """Go on with a run that was stopped, killed or failed, and give the whole run's result.

    `planned`: the preset as it is today, refused where it differs, unless `changed` allows it: then the run goes on
    with it, longer than it was planned if that is what changed. Without it the preset is taken from the record.
    The new run's record names the one before it, and holds the losses and LoRAs of all parts. Raises OutputError
    where there is no whole state, DatasetError where the pictures have changed, PresetError where the preset has, and
    all that `run` raises.
    """
    if record.status == "succeeded" and not changed:
        todo = "raise steps.how_many, then `kohya-wrap train PRESET --resume --changed`; or train again"
        raise OutputError("has come to its end", where=record.id, todo=todo)
    if record.status == "running":
        raise OutputError("is still going on", where=record.id, todo="wait, or stop it first")
    if others := list(changed_files(record.dataset)):
        raise DatasetError.of(others, what="the run cannot go on: its pictures have changed")
    today = planned or plan_of(record)
    differences = list(_differences(record, today))
    if refused := [each for each in differences if not changed or each.where.startswith(_BOUND)]:
        what = "from this state" if changed else "without --changed"
        raise PresetError.of(refused, what=f"the run cannot go on {what}: the preset has changed since")
    if differences:
        noted = tuple(replace(each, todo="", severity="warning") for each in differences)
        today = replace(today, findings=replace(today.findings, preset=today.findings.preset + noted))
    before = record.continued.changed if record.continued else ()
    names = tuple(dict.fromkeys((*before, *(each.where for each in differences))))
    continued = _newest_state(record, today).model_copy(update={"changed": names})
    return run(today, on_event=on_event, offline=offline, continued=continued)


def newest_run(planned: Plan) -> RunRecord:
    """Give the newest run of a plan's project. Raises OutputError where there is none."""
    project = planned.config.setup.project_name
    found = [record for _, record in find_records(planned.root) if isinstance(record, RunRecord)]
    mine = [record for record in found if record.project == project]
    if not mine:
        raise OutputError(f"the project {project} has no run to go on with", where=str(planned.project.runs))
    return mine[-1]


def plan_of(record: RunRecord) -> Plan:
    """Plan a recorded run again, at the place where it was."""
    file = Path(record.folder) / "preset.toml"
    write_whole(file, toml.dumps(record.preset.stated))
    planned = plan(file, root=root_of(record))
    preset = replace(planned.preset, name=record.preset.name)
    return replace(planned, preset=preset, overrides=record.preset.overrides)


def _newest_state(record: RunRecord, planned: Plan) -> ContinuedEntry:
    """Find the newest whole state of a run, or of the parts before it, with something left to do."""
    runs, length = Path(record.folder).parent, planned.steps
    parts = [part.record for part in parts_of(record.continued, runs)]
    for part in (record, *reversed(parts)):
        for state in reversed(_states(part, per_epoch=length.steps_per_epoch)):
            if state.steps < length.total_steps:
                epoch = state.steps // length.steps_per_epoch
                uncounted = epoch * length.steps_per_epoch
                return ContinuedEntry(
                    run=part.id, state=str(state.path), epoch=epoch, steps=state.steps, uncounted=uncounted
                )
    raise OutputError(
        "left no whole training state",
        where=record.folder,
        todo="set training.save_state = true for the next run; this one must begin again",
    )


def _states(part: RunRecord, *, per_epoch: int) -> tuple[TrainingState, ...]:
    uncounted = part.continued.unknown_to_engine if part.continued else 0
    staging = RunPaths(Path(part.folder), Path()).staging
    return find_states(staging, part.project, steps_per_epoch=per_epoch, uncounted=uncounted)


def _differences(record: RunRecord, planned: Plan) -> Iterator[Problem]:
    was = flat(record.preset.resolved)
    now = flat(planned.config.model_dump(mode="json"))
    for key in dict.fromkeys((*was, *now)):
        if was.get(key) != now.get(key) and not key.startswith(_MAY_DIFFER):
            what = f"was {was.get(key, 'not set')}, and is {now.get(key, 'not set')}"
            yield Problem(key, what, "set it back, or train from the beginning")
    counts, length = record.counts, planned.steps
    if counts.planned_steps != length.total_steps:
        what = f"the run was planned for {counts.planned_steps} steps, and would now have {length.total_steps}"
        yield Problem(
            "steps", f"{what}; the learning rates follow the new length, so they jump", "look for what changed"
        )
    if counts.batches_per_epoch != length.batches_per_epoch:
        what = f"an epoch had {counts.batches_per_epoch} batches, and would now have {length.batches_per_epoch}"
        yield Problem("batches per epoch", what, "set batch size and repeats back; continue_from_lora begins anew")
