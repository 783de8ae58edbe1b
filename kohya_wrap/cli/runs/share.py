"""kohya-wrap runs export, import."""

from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.cli.options import Root
from kohya_wrap.cli.output import size_text
from kohya_wrap.cli.runs.find import RunName, find_run
from kohya_wrap.sharing import export_run, import_run


def export(
    run: RunName,
    file: Annotated[Path, typer.Argument(help="The ZIP file to write.", dir_okay=False)],
    root: Root = None,
    with_images: Annotated[bool, typer.Option("--with-images", help="The pictures too.")] = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Write RUN into one ZIP file, from which another machine can repeat it: record, preset, captions, pins, hashes."""
    written = export_run(find_run(run, root), file.absolute(), with_images=with_images)
    typer.echo(f"{written}  {size_text(written.stat().st_size)}")


def import_(
    file: Annotated[Path, typer.Argument(help="A ZIP file that `runs export` wrote.", dir_okay=False)],
    root: Root = None,
    trust: Annotated[bool, typer.Option("--trust", help="Take a preset that names code to run.")] = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Unpack an exported run, so that `runs reproduce` can repeat it here. Replaces nothing."""
    imported = import_run(file, root=root or Path.cwd(), trust=trust)
    typer.echo(f"run {imported.record.id} in {imported.record.folder}")
    for entry in imported.missing:
        typer.echo(f"missing  {entry.path}  SHA256 {entry.sha256}")
    typer.echo(f"repeat it with: kohya-wrap runs reproduce {imported.record.id}")
