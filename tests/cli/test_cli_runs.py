"""kohya-wrap runs as a user types it, without an engine."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kohya_wrap.cli.main import app


def test_no_runs_are_said(tmp_path: Path) -> None:
    """In the wrong folder the list is empty for a program, and says to a person where it looked."""
    done = CliRunner().invoke(app, ["runs", "list", "--root", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"no run below {tmp_path}; --root names another folder\n"


@pytest.mark.parametrize(
    "words",
    [
        ("dataset", "scan", ".", "--sheet"),
        ("dataset", "scan", ".", "--mean"),
        ("dataset", "dedupe", ".", "--sheet"),
        ("dataset", "expand", ".", "--preview"),
        ("runs", "report", "tiger", "--out"),
    ],
    ids=" ".join,
)
def test_nothing_is_drawn_over_a_file_of_another_kind(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Neither a picture nor a page takes the place of notes; the command line itself is wrong."""
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    done = CliRunner().invoke(app, [*words, str(notes), "--root", str(tmp_path)])
    assert (done.exit_code, notes.read_text()) == (2, "mine")
    assert "notes.txt' is no ." in done.stderr
