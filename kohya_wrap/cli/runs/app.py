"""kohya-wrap runs: collects its verbs."""

import typer

from kohya_wrap.cli.runs.compare import compare
from kohya_wrap.cli.runs.plot import plot, tensorboard
from kohya_wrap.cli.runs.report import report
from kohya_wrap.cli.runs.reproduce import reproduce
from kohya_wrap.cli.runs.resume import resume
from kohya_wrap.cli.runs.share import export, import_
from kohya_wrap.cli.runs.show import list_, show

runs_app = typer.Typer(
    name="runs",
    help="List, show, draw, compare and repeat the runs of this folder.",
    no_args_is_help=True,
    add_completion=False,
)
runs_app.command("list")(list_)
for verb in (show, plot, tensorboard, compare, report, reproduce, resume, export):
    runs_app.command()(verb)
runs_app.command("import")(import_)
