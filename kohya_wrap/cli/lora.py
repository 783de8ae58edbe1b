"""kohya-wrap lora: collects its verbs, and inspect."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.cli.lazy import lazy_group
from kohya_wrap.cli.lora_text import lora_json, lora_rows, picture_titles
from kohya_wrap.cli.options import Root
from kohya_wrap.cli.output import print_rows
from kohya_wrap.errors import BadResultError, OutputError, Problem
from kohya_wrap.paths import ProjectPaths
from kohya_wrap.results.inspect import (
    LoraHashes,
    LoraHeader,
    Measures,
    draw_norms,
    inspect_hashes,
    inspect_header,
    inspect_numbers,
)

VERBS = {
    "inspect": "kohya_wrap.cli.lora:inspect",
    "grid": "kohya_wrap.cli.lora_grid:grid",
    "install": "kohya_wrap.cli.lora_install:install",
    "merge": "kohya_wrap.cli.lora_rework:merge",
    "resize": "kohya_wrap.cli.lora_rework:resize",
}

lora_app = typer.Typer(
    name="lora",
    help="Look into LoRA files, draw with them, bring them to a web UI, add them up.",
    cls=lazy_group(VERBS),
    no_args_is_help=True,
    add_completion=False,
)

Look = tuple[LoraHeader, LoraHashes | None, Measures | None]
_ENDING = ".safetensors"


@lora_app.callback()
def _lora() -> None:
    """Look into LoRA files, draw with them, bring them to a web UI, add them up."""


def inspect(
    files: Annotated[
        list[str],
        typer.Argument(
            help="LoRAs, folders of them, or names of projects (each project's last LoRA).", metavar="FILE…"
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list, all metadata included.")] = False,  # noqa: FBT002 - a flag of the command line
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw the norm of the update per block (.png or .svg).")
    ] = None,
    header_only: Annotated[bool, typer.Option("--header", help="Read the header only: no norms, no hashes.")] = False,  # noqa: FBT002 - likewise
    root: Root = None,
) -> None:
    """Say what LoRA files are, how they were trained, and how strongly they change which block."""
    paths = [path for file in files for path in _find(file, root or Path())]
    if picture is not None and (len(paths) > 1 or header_only):
        raise OutputError("can show one LoRA, with its numbers", where=str(picture), todo="give one file, no --header")
    # The matrices are small: on a busy machine the threads of numpy's BLAS would wait for each other, ten times longer.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    problems: list[Problem] = []
    looked: Iterable[Look] = _look_at(paths, problems, header_only=header_only)
    if as_json:
        # ASCII: half characters, which JSON in metadata can hold, cannot be written as UTF-8.
        looked = list(looked)
        typer.echo(json.dumps([lora_json(*look) for look in looked], indent=2, allow_nan=False))
    for index, (header, hashes, measures) in enumerate(looked):
        if not as_json:
            typer.echo("\n" if index else "", nl=False)
            print_rows(lora_rows(header, hashes, measures))
        if picture is not None and measures is not None:
            title, subtitle = picture_titles(header)
            typer.echo(draw_norms(measures.blocks, picture, title=title, subtitle=subtitle), err=as_json)
    if problems:
        raise BadResultError.of(problems)


def _look_at(paths: list[Path], problems: list[Problem], *, header_only: bool) -> Iterator[Look]:
    """Inspect one file after the other; those that cannot be go into `problems`."""
    for path in paths:
        try:
            header = inspect_header(path)
            yield (header, None, None) if header_only else (header, inspect_hashes(header), inspect_numbers(header))
        except BadResultError as error:
            problems += error.problems


def _find(text: str, root: Path) -> list[Path]:
    """Give the files that a word names: a file, a folder's LoRAs, or the last LoRA of a project."""
    path = Path(text).expanduser()
    if path.is_dir():
        if found := sorted(path.glob(f"*{_ENDING}")):
            return found
        raise BadResultError("holds no LoRA", where=text, todo=f"name a folder with {_ENDING} files, or a file")
    if not path.exists() and not text.endswith(_ENDING) and path.name == text:
        outputs = [ProjectPaths(root, text).output, ProjectPaths(root, text, "category").output]
        found = [file for folder in outputs for file in folder.glob(f"*{_ENDING}")]
        if found:
            return [max(found, key=lambda file: (file.stat().st_mtime, file.name))]
    return [path]
