"""kohya-wrap presets pin: write the exact base model into a preset."""

from pathlib import Path

import typer

from kohya_wrap.base_models.pin import find_pin, write_pin
from kohya_wrap.cli.options import PresetName, Root
from kohya_wrap.cli.output import print_rows
from kohya_wrap.paths import CachePaths
from kohya_wrap.pipeline import load_preset


def pin(preset: PresetName, root: Root = None) -> None:
    """Write the version, file and SHA256 that PRESET's base model is today into its file; comments stay."""
    loaded = load_preset(preset)
    here, cache = (root or Path()).absolute(), CachePaths.from_environment()
    found = find_pin(loaded.config.setup, root=here, cache=cache, say=_say)
    for note in found.notes:
        _say(note)
    path = Path(loaded.path)
    write_pin(path, found)
    print_rows([("pinned", str(path)), *found.fields().items()])


def _say(text: str) -> None:
    typer.echo(text, err=True)
