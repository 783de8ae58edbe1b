"""kohya-wrap doctor: what is there, and what each missing thing means."""

from typing import Annotated

import typer

from kohya_wrap.config import EngineConfig
from kohya_wrap.engines.doctor import examine
from kohya_wrap.errors import EngineError
from kohya_wrap.paths import CachePaths


def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="Also start the engine's Python and import torch.")] = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Show Python, GPU, packages, sd-scripts and disk, and what each missing thing means."""
    rows = examine(CachePaths.from_environment(), EngineConfig(), deep=deep)
    width = max(len(row.name) for row in rows)
    for row in rows:
        mark = typer.style("ok  ", fg="green") if row.ok else typer.style("MISS", fg="red")
        typer.echo(f"{mark}  {row.name:<{width}}  {row.found}")
        if not row.ok and row.meaning:
            typer.echo(f"      {'':<{width}}  {row.meaning}")
    if any(not row.ok and row.required for row in rows):
        raise EngineError("something that training needs is missing", todo="see the lines marked MISS above")
