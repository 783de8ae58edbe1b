"""kohya-wrap dataset history, undo."""

from typing import Annotated

import typer

from kohya_wrap.cli.dataset.options import DryRun, Place, find_place
from kohya_wrap.cli.options import Root
from kohya_wrap.dataset import history as steps

_STATES = {"open": "cut short", "done": "done", "undone": "undone"}


def history(dataset: Place, root: Root = None) -> None:
    """List the steps that changed DATASET, oldest first."""
    found = steps.read_steps(find_place(dataset, root).history)
    for step in found:
        counts = ", ".join(f"{count} {kind}" for kind, count in (step.counts or {}).items())
        words = " ".join(f"{key}={value!r}" for key, value in step.arguments.items())
        typer.echo(f"{step.number:4}  {step.started}  {_STATES[step.state]:9}  {step.verb}  {counts}  {words}".rstrip())
    if not found:
        typer.echo("nothing has been changed yet")


def undo(
    dataset: Place,
    root: Root = None,
    force: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--force", help="Replace files that were changed by hand since, too.")
    ] = False,
    dry_run: DryRun = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Take back the newest step that changed DATASET; again for the one before."""
    step = steps.undo(find_place(dataset, root), force=force, dry_run=dry_run)
    counts = ", ".join(f"{count} {kind}" for kind, count in (step.counts or {}).items())
    typer.echo(f"{'would undo' if dry_run else 'undid'} step {step.number}, {step.verb} ({counts})")
