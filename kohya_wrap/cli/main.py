"""kohya-wrap: collects the verbs, and turns every error into a message and an exit code."""

import sys
from typing import Annotated

import typer

from kohya_wrap._version import __version__
from kohya_wrap.cli.lazy import lazy_group
from kohya_wrap.cli.output import mute, print_error
from kohya_wrap.errors import KohyaWrapError

VERBS = {
    "train": "kohya_wrap.cli.train:train",
    "check": "kohya_wrap.cli.check:check",
    "presets": "kohya_wrap.cli.presets:presets_app",
    "dataset": "kohya_wrap.cli.dataset.app:dataset_app",
    "model": "kohya_wrap.cli.model:model_app",
    "lora": "kohya_wrap.cli.lora:lora_app",
    "runs": "kohya_wrap.cli.runs.app:runs_app",
    "png-info": "kohya_wrap.cli.png_info:png_info",
    "toml": "kohya_wrap.cli.toml:toml",
    "setup": "kohya_wrap.cli.setup:setup",
    "doctor": "kohya_wrap.cli.doctor:doctor",
}

app = typer.Typer(
    name="kohya-wrap",
    help="Train a LoRA with kohya's sd-scripts from a preset: one command in, a checked and recorded LoRA out.",
    cls=lazy_group(VERBS),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: see lazy.py
)


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
        try:
            print_error(error)
        except OSError:  # the terminal has been closed
            mute()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
