"""kohya-wrap dataset new."""

from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.cli.dataset.options import DryRun
from kohya_wrap.cli.options import Root
from kohya_wrap.dataset.verbs.new import new as make
from kohya_wrap.paths import FolderStructure


def new(
    name: Annotated[str, typer.Argument(help="NAME, or NAME/SUB for a sub-folder of its dataset.", metavar="NAME")],
    structure: Annotated[
        FolderStructure,
        typer.Option(
            "--structure", help="project: Loras/NAME/dataset; category: lora_training/datasets/NAME.", show_default=True
        ),
    ] = "project",
    root: Root = None,
    dry_run: DryRun = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Make the folders of a project."""
    project = make(name, root=root or Path.cwd(), structure=structure, dry_run=dry_run)
    for path in project.made:
        typer.echo(f"{'would make' if dry_run else 'made'} {path}")
    if not project.made:
        typer.echo("all folders are there already")
    typer.echo(f"pictures go into {project.dataset}")
