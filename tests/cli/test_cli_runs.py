"""kohya-wrap runs as a user types it, without an engine."""

from pathlib import Path

from typer.testing import CliRunner

from kohya_wrap.cli.main import app


def test_no_runs_are_said(tmp_path: Path) -> None:
    """In the wrong folder the list is empty for a program, and says to a person where it looked."""
    done = CliRunner().invoke(app, ["runs", "list", "--root", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"no run below {tmp_path}; --root names another folder\n"
