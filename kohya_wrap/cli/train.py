"""kohya-wrap train: the main job."""

from typing import Annotated

import typer

from kohya_wrap.cli.options import PresetName, Root, Sets, SetWords, overrides
from kohya_wrap.cli.output import print_rows, print_warnings, size_text, time_text
from kohya_wrap.cli.plan_text import plan_rows
from kohya_wrap.cli.progress import view
from kohya_wrap.pipeline import RunResult, plan
from kohya_wrap.resuming import newest_run
from kohya_wrap.resuming import resume as go_on
from kohya_wrap.sampling import Samples
from kohya_wrap.stepping_down import run


def train(  # noqa: PLR0913, PLR0917 - one line for each option of the verb
    preset: PresetName,
    root: Root = None,
    sets: Sets = None,
    set_words: SetWords = "",
    resume: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--resume", help="Go on with the project's newest run from its newest training state.")
    ] = False,
    changed: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--changed", help="With --resume: go on although the preset is another one by now.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Use no network; say what is missing.")] = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Train a LoRA from PRESET: checks everything, prepares it, trains, and leaves LoRAs and a record."""
    if changed and not resume:
        raise typer.BadParameter("it says with what a run goes on: give --resume, too", param_hint="--changed")
    planned = plan(preset, root=root, overrides=overrides(sets, set_words))
    print_rows(plan_rows(planned))
    print_warnings(planned.warnings)
    planned.findings.raise_errors()
    typer.echo("")
    with view() as show:
        if resume:
            result = go_on(newest_run(planned), planned=planned, changed=changed, on_event=show, offline=offline)
        else:
            result = run(planned, on_event=show, offline=offline)
    print_result(result)


def print_result(result: RunResult) -> None:
    """Say what a run left, and where."""
    typer.echo("")
    print_rows(_result_rows(result))


def _result_rows(result: RunResult) -> list[tuple[str, str]]:
    record = result.record
    rows = [("done", f"{record.counts.done_steps} steps in {time_text(record.seconds)}")]
    if record.losses.mean is not None:
        rows.append(("loss", f"mean of all steps {record.losses.mean:.4f}, last step {record.losses.last:.4f}"))
    for index, lora in enumerate(result.loras):
        rows.append(("LoRAs" if index == 0 else "", f"{lora.path}  {size_text(lora.size)}"))
    rows += [("record", str(result.paths.record)), ("log", str(result.paths.log))]
    return rows + sample_rows(result.samples)


def sample_rows(samples: Samples) -> list[tuple[str, str]]:
    """Name the test pictures and the grid of them."""
    rows = []
    if samples.pictures:
        count = "1 picture" if len(samples.pictures) == 1 else f"{len(samples.pictures)} pictures"
        missing = f", {samples.missing} missing" if samples.missing else ""
        rows.append(("samples", f"{count}{missing} in {time_text(samples.seconds)}, {samples.pictures[0].parent}/"))
    return rows + [("grid" if index == 0 else "", str(path)) for index, path in enumerate(samples.grids)]
