"""kohya-wrap: collects the verbs, and turns every error into a message and an exit code."""

import sys
from typing import Annotated

import typer

from kohya_wrap._version import __version__
from kohya_wrap.cli.check import check
from kohya_wrap.cli.dataset.app import dataset_app
from kohya_wrap.cli.doctor import doctor
from kohya_wrap.cli.lora import lora_app
from kohya_wrap.cli.model import model_app
from kohya_wrap.cli.output import print_error
from kohya_wrap.cli.pin import pin
from kohya_wrap.cli.png_info import png_info
from kohya_wrap.cli.presets import presets_app
from kohya_wrap.cli.runs.app import runs_app
from kohya_wrap.cli.setup import setup
from kohya_wrap.cli.toml import toml
from kohya_wrap.cli.train import train
from kohya_wrap.errors import KohyaWrapError

app = typer.Typer(
    name="kohya-wrap",
    help="Train a LoRA with kohya's sd-scripts from a preset: one command in, a checked and recorded LoRA out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for verb in (train, check, toml, setup, doctor, png_info):
    app.command()(verb)
presets_app.command()(pin)
app.add_typer(presets_app)
app.add_typer(dataset_app)
app.add_typer(model_app)
app.add_typer(lora_app)
app.add_typer(runs_app)


def _version(show: bool) -> None:  # noqa: FBT001 - typer's callback
    if show:
        typer.echo(f"kohya-wrap {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Train a LoRA with kohya's sd-scripts from a preset: one command in, a checked and recorded LoRA out."""


def main() -> None:
    """Run the command line; the exit code is the error's own (see errors.py)."""
    try:
        app()
    except KohyaWrapError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
