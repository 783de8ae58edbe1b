"""Which run is meant by what was typed."""

from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.errors import OutputError
from kohya_wrap.record import RunRecord, find_records

RunName = Annotated[
    str,
    typer.Argument(help="Id of a run (or its beginning), its folder, or a project: the newest run.", metavar="RUN"),
]


def all_records(root: Path | None) -> list[tuple[Path, RunRecord | OutputError]]:
    """Give folder and record of every run below `root` or the current folder, oldest first."""
    return list(find_records((root or Path()).absolute()))


def find_run(run: str, root: Path | None) -> RunRecord:
    """Give the one run that is meant. Raises OutputError for none, or several."""
    readable = [(folder, record) for folder, record in all_records(root) if isinstance(record, RunRecord)]
    path = Path(run).absolute()
    matches = [record for folder, record in readable if folder == path or record.id == run]
    matches = matches or [record for _, record in readable if record.project == run][-1:]
    matches = matches or [record for _, record in readable if record.id.startswith(run)]
    if len(matches) == 1:
        return matches[0]
    what = "no such run" if not matches else f"{len(matches)} runs begin so"
    raise OutputError(what, where=run, todo="`kohya-wrap runs list` shows the runs below this folder")
