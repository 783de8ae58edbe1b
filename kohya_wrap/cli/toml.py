"""kohya-wrap toml: the two TOML files that sd-scripts would get."""

from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.cli.options import PresetName, Root, Sets, SetWords, overrides
from kohya_wrap.cli.output import print_warnings
from kohya_wrap.pipeline import plan
from kohya_wrap.run_files import write_toml

Out = Annotated[Path, typer.Option("--out", help="Folder to write them into.", file_okay=False)]


def toml(preset: PresetName, out: Out, root: Root = None, sets: Sets = None, set_words: SetWords = "") -> None:
    """Write the training and dataset TOML of PRESET for sd-scripts into a folder, and train nothing."""
    planned = plan(preset, root=root, overrides=overrides(sets, set_words))
    print_warnings(planned.warnings)
    planned.findings.raise_errors()
    for path in write_toml(planned, out):
        typer.echo(path)
