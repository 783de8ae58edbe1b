"""kohya-wrap runs report: one HTML file about a run."""

from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.cli.options import Root, ending_with
from kohya_wrap.cli.runs.find import RunName, find_run
from kohya_wrap.results.report import write_report


def report(
    run: RunName,
    root: Root = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Where to, a .html (default: report.html in the run's folder).", callback=ending_with(".html")
        ),
    ] = None,
) -> None:
    """Write one HTML file about RUN that stands alone: curves, pictures, tags, settings, hashes, how to repeat it."""
    record = find_run(run, root)
    typer.echo(write_report(record, out or Path(record.folder) / "report.html"))
