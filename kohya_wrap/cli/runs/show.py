"""kohya-wrap runs list, show."""

import json
from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.cli.options import Root
from kohya_wrap.cli.output import print_rows, size_text, time_text
from kohya_wrap.cli.runs.find import RunName, all_records, find_run
from kohya_wrap.errors import OutputError
from kohya_wrap.record import RunRecord


def list_(root: Root = None) -> None:
    """List every run below the root, oldest first."""
    records = all_records(root)
    if not records:
        typer.echo(f"no run below {(root or Path()).absolute()}; --root names another folder", err=True)
    for folder, record in records:
        if isinstance(record, OutputError):
            typer.echo(f"{folder.name:<20}  unreadable   {record.where}")
            continue
        loss = f"loss {record.losses.mean:.4f}" if record.losses.mean is not None else ""
        typer.echo(
            f"{record.id:<20}  {record.status:<11}  {record.project:<20}  "
            f"{record.counts.done_steps:>5}/{record.counts.planned_steps} steps  {time_text(record.seconds):>7}  {loss}"
        )


def show(
    run: RunName,
    root: Root = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print run.json.")] = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Show one run: what went in, what ran, what came out."""
    record = find_run(run, root)
    if as_json:
        typer.echo(json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False))
        return
    print_rows(_rows(record))


def _rows(record: RunRecord) -> list[tuple[str, str]]:
    counts = record.counts
    rows = [
        ("run", f"{record.id}: {record.status}"),
        ("preset", f"{record.preset.name} ({record.preset.path})"),
        ("engine", f"{record.engine.name} {record.engine.commit[:12]}"),
        ("base", f"{record.base_model.path} ({record.base_model.family})"),
        ("pictures", f"{counts.train_images} with repeats, {len(record.dataset)} files"),
        ("steps", f"{counts.done_steps} of {counts.planned_steps} in {time_text(record.seconds)}"),
        ("folder", record.folder),
    ]
    if record.losses.mean is not None:
        rows.append(("loss", f"mean {record.losses.mean:.4f}, last {record.losses.last:.4f} ({record.losses.path})"))
    if record.error is not None:
        rows.append(("error", record.error.message))
    rows += [("LoRA", f"{lora.path}  {size_text(lora.size)}  {lora.steps} steps") for lora in record.loras]
    rows += [("grid", path) for path in record.samples.grids]
    return rows + [("warning", text) for text in record.warnings]
