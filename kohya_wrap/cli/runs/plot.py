"""kohya-wrap runs plot, tensorboard."""

from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.cli.options import Root
from kohya_wrap.cli.runs.find import RunName, find_run
from kohya_wrap.results import board, curves
from kohya_wrap.results.losses import log_dir


def plot(
    runs: Annotated[list[str], typer.Argument(help="Runs by id, folder or project; several in one picture.")],
    root: Root = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where to, without ending (default: loss beside the first run's record)."),
    ] = None,
) -> None:
    """Draw loss and learning rates of one run or several as PNG and SVG."""
    records = [find_run(run, root) for run in runs]
    for path in curves.plot(records, out or Path(records[0].folder) / "loss"):
        typer.echo(path)


def tensorboard(
    run: RunName,
    root: Root = None,
    port: Annotated[int, typer.Option("--port", help="Port on this machine only.")] = 6006,
) -> None:
    """Show the run's project in TensorBoard until Ctrl-C: on this machine, to those who have the address it prints."""
    raise typer.Exit(board.serve(log_dir(find_run(run, root)).parent, port))
