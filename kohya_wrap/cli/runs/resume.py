"""kohya-wrap runs resume: an interrupted run goes on."""

from typing import Annotated

import typer

from kohya_wrap.cli.options import Root
from kohya_wrap.cli.progress import view
from kohya_wrap.cli.runs.find import RunName, find_run
from kohya_wrap.cli.train import print_result
from kohya_wrap.resuming import resume as go_on


def resume(
    run: RunName,
    root: Root = None,
    offline: Annotated[bool, typer.Option("--offline", help="Use no network; say what is missing.")] = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Go on with RUN from its newest whole training state (training.save_state = true keeps them)."""
    record = find_run(run, root)
    with view() as show:
        result = go_on(record, on_event=show, offline=offline)
    print_result(result)
