"""kohya-wrap doctor: what is there, and what each missing thing means."""

from typing import Annotated

import typer

from kohya_wrap.config import EngineConfig
from kohya_wrap.engines.doctor import doctor as examine
from kohya_wrap.paths import CachePaths

Deep = Annotated[bool, typer.Option("--deep", help="Also start the engine's Python if it was never tried here.")]


def doctor(deep: Deep = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Show Python, GPU, packages, sd-scripts and disk, and what each of them means for a training."""
    rows = examine(CachePaths.from_environment(), EngineConfig(), deep=deep)
    width = max(len(row.name) for row in rows)
    for row in rows:
        mark = typer.style("ok", fg="green") if row.ok else typer.style("--", fg="yellow")
        typer.echo(f"{mark}  {row.name:<{width}}  {row.found}")
        typer.echo(f"    {'':<{width}}  {row.meaning}")
