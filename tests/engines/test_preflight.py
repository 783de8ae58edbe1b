"""What is checked before an environment is built."""

import sys
from pathlib import Path

import pytest

from kohya_wrap.engines import preflight
from kohya_wrap.engines.preflight import choose_interpreter, platform_problems
from kohya_wrap.errors import EngineError


def python_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> Path:
    """Put a program called python3.99 on PATH, which says it is some version."""
    program = folder / "python3.99"
    program.write_text(f"#!{sys.executable}\nprint({says!r})\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(preflight, "SUPPORTED", ((3, 99),))
    return program


def test_this_python_is_taken_where_it_will_do() -> None:
    """The engine's environment is built with the python that runs the wrapper."""
    assert choose_interpreter().path == Path(sys.executable)


def test_another_python_on_path_is_taken_where_this_one_will_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrapper on a newer Python than the packages know looks for an older one beside it."""
    program = python_on_path(tmp_path, monkeypatch, "3.99")
    assert (choose_interpreter().path, choose_interpreter().version) == (program, "3.99")


def test_a_stand_in_on_path_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version manager's placeholder that starts nothing is passed over, and the message names what would do."""
    python_on_path(tmp_path, monkeypatch, "version not installed")
    with pytest.raises(EngineError, match=r"need Python 3\.99; this is 3\."):
        choose_interpreter()


def test_an_untested_platform_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine may try, and is told that nobody has."""
    monkeypatch.setattr(preflight, "TESTED_PLATFORM", ("plan9", "mips"))
    assert [problem.severity for problem in platform_problems()] == ["warning"]
