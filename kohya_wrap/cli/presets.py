"""kohya-wrap presets: list, show, new, schema."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap import presets
from kohya_wrap.cli.options import PresetName, Sets, overrides
from kohya_wrap.cli.output import print_warnings, printable
from kohya_wrap.cli.pin import pin
from kohya_wrap.errors import PresetError
from kohya_wrap.pipeline import load_preset
from kohya_wrap.results import rebuild
from kohya_wrap.sd_scripts.pitfalls import setup_of

presets_app = typer.Typer(
    name="presets", help="List, show and make presets.", no_args_is_help=True, add_completion=False
)
presets_app.command()(pin)


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


_Picture = Annotated[
    Path | None, typer.Option("--from-picture", help="A generated picture: the model that made it, its prompt.")
]
_Lora = Annotated[Path | None, typer.Option("--from-lora", help="A LoRA: what its metadata tells of its training.")]
_Notebook = Annotated[Path | None, typer.Option("--from-notebook", help="A saved Lora_Trainer.ipynb: its values.")]
_Toml = Annotated[
    list[Path] | None,
    typer.Option("--from-toml", help="sd-scripts' training or dataset TOML, or a folder with both; repeatable."),
]
_Gui = Annotated[Path | None, typer.Option("--from-kohya-gui", help="A .json that kohya_ss' LoRA tab saved.")]


@presets_app.command()
def new(  # noqa: PLR0913, PLR0917 - one line for each option of the verb
    name: Annotated[str, typer.Argument(help="Name of the new preset; becomes presets/NAME.toml.")],
    extends: Annotated[
        str, typer.Option("--extends", help="The preset to start from (default: one-image, or sdxl where that fits).")
    ] = "",
    out: Annotated[Path, typer.Option("--dir", help="Folder to write it into.", file_okay=False)] = Path("presets"),
    from_picture: _Picture = None,
    from_lora: _Lora = None,
    from_notebook: _Notebook = None,
    from_toml: _Toml = None,
    from_kohya_gui: _Gui = None,
) -> None:
    """Write a commented preset to start from; never over an existing file. What is not known is said."""
    files = (
        (rebuild.given_by_picture, from_picture),
        (rebuild.given_by_lora, from_lora),
        (rebuild.given_by_notebook, from_notebook),
        (rebuild.given_by_kohya_gui, from_kohya_gui),
    )
    if sum(path is not None for _, path in files) + bool(from_toml) > 1:
        raise PresetError("can be made from one thing", where=name, todo="give one of the --from-… options")
    given = rebuild.given_by_toml(name, from_toml) if from_toml else presets.Given()
    for read, path in files:
        given = given if path is None else read(name, path)
    base = extends or ("sdxl" if setup_of(given.tables()).family == "sdxl" else "one-image")
    typer.echo(presets.new_preset(name, extends=base, target_dir=out, given=given))
    for note in (*given.notes, *_still(base, name, given)):
        typer.echo(f"  {printable(note)}", err=True)


def _still(extends: str, name: str, given: presets.Given) -> Iterator[str]:
    """Say that the pictures are those of the preset that was extended: one-image trains the tutorial's tiger."""
    theirs = load_preset(extends, overrides=(f"setup.project_name={name}",)).config.dataset
    if theirs.images and "dataset.images" not in given.values:
        yield (
            f"It trains the pictures of {extends} until you set dataset.images: to yours, or to [] for those in the "
            "project's dataset folder; see to dataset.activation_tag and samples.prompts, too."
        )


@presets_app.command()
def schema() -> None:
    """Print the JSON schema of a preset, for editors."""
    typer.echo(json.dumps(presets.schema(), indent=2, ensure_ascii=False))
