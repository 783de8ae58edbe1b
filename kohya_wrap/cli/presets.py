"""kohya-wrap presets: list, show, new, schema."""

import json
from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap import presets
from kohya_wrap.cli.options import PresetName, Sets, overrides
from kohya_wrap.cli.output import print_warnings
from kohya_wrap.pipeline import load_preset

presets_app = typer.Typer(name="presets", help="List, show and make presets.", no_args_is_help=True)


@presets_app.command("list")
def list_() -> None:
    """List the presets of this folder and those that come with kohya_wrap."""
    found = presets.list_presets()
    width = max((len(entry.name) for entry in found), default=0)
    for entry in found:
        typer.echo(f"{entry.name:<{width}}  {entry.description}")


@presets_app.command()
def show(preset: PresetName, sets: Sets = None) -> None:
    """Print PRESET with everything resolved, and where each value came from."""
    loaded = load_preset(preset, overrides=overrides(sets))
    typer.echo(presets.show(loaded))
    print_warnings(loaded.warnings)


@presets_app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the new preset; becomes presets/NAME.toml.")],
    extends: Annotated[str, typer.Option("--extends", help="The preset to start from.")] = "one-image",
    out: Annotated[Path, typer.Option("--dir", help="Folder to write it into.", file_okay=False)] = Path("presets"),
) -> None:
    """Write a commented preset to start from; never over an existing file."""
    typer.echo(presets.new_preset(name, extends=extends, target_dir=out))


@presets_app.command()
def schema() -> None:
    """Print the JSON schema of a preset, for editors."""
    typer.echo(json.dumps(presets.schema(), indent=2, ensure_ascii=False))
