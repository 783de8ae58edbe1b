"""kohya-wrap runs compare: what differs between two runs."""

import dataclasses
import json
from typing import Annotated

import typer

from kohya_wrap.cli.options import Root
from kohya_wrap.cli.runs.find import RunName, find_run
from kohya_wrap.results.compare import compare as differences


def compare(
    first: RunName,
    second: RunName,
    root: Root = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of differences.")] = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Say what differs between two runs: settings, pictures, base model, versions, losses, LoRAs."""
    found = differences(find_run(first, root), find_run(second, root))
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(each) for each in found], indent=2, ensure_ascii=False))
        return
    if not found:
        typer.echo("the same settings, pictures, base model and versions; the same losses and tensors")
    width = max((len(each.name) for each in found), default=0)
    part = ""
    for each in found:
        if each.part != part:
            part = each.part
            typer.echo(part)
        typer.echo(f"  {each.name:<{width}}  {each.first or '-'}  ->  {each.second or '-'}")
