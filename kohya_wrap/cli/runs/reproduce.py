"""kohya-wrap runs reproduce: a run again, and whether the same came out."""

import math
from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.cli.options import Root
from kohya_wrap.cli.progress import view
from kohya_wrap.cli.runs.find import RunName, find_run
from kohya_wrap.reproducing import Reproduction, root_of
from kohya_wrap.reproducing import reproduce as repeat


def reproduce(
    run: RunName,
    root: Root = None,
    into: Annotated[
        Path | None,
        typer.Option("--into", help="A new folder for the repeat (default: reproduced/RUN below the root)."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Use the network for nothing.")] = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Repeat RUN from its record alone, and compare the LoRAs number by number. Exit code 1 where they differ."""
    record = find_run(run, root)
    target = into or root_of(record) / "reproduced" / record.id
    with view() as show:
        again = repeat(record, into=target.absolute(), on_event=show, offline=offline)
    for line in _lines(again):
        typer.echo(line)
    if not again.identical:
        raise typer.Exit(1)


def _lines(again: Reproduction) -> list[str]:
    lines = [""]
    lines += [f"differs     {each.part}: {each.name}: {each.first} -> {each.second}" for each in again.differences]
    if not again.differences:
        lines.append("inputs      the same settings, pictures, base model, engine and versions, by hash")
    for epoch, found in again.tensors.items():
        if found.identical:
            text = "identical, bit by bit"
        elif found.missing:
            text = f"{len(found.missing)} tensors are not in both: {found.missing[0]}"
        elif math.isnan(found.largest):
            text = f"differs by its hash; {found.where} is no longer there to compare"
        else:
            text = f"differs: at most {found.largest:.3g}, in {found.where}"
        lines.append(f"epoch {epoch:<5} {text}")
    return lines
