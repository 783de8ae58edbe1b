"""What --help prints, of every verb."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from kohya_wrap.cli.main import app


def verbs(command: Any, *words: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Give each command with the words that call it."""
    yield words, command
    for name in getattr(command, "commands", {}):
        yield from verbs(command.commands[name], *words, name)


VERBS = [pytest.param(words, command, id=" ".join(words)) for words, command in verbs(get_command(app))]


@pytest.mark.parametrize(("words", "command"), VERBS)
def test_names_are_whole_on_a_terminal_of_80_columns(words: tuple[str, ...], command: Any) -> None:
    """No name of an option or a verb is cut off, nor what a verb is for."""
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80"}, terminal_width=80).stdout
    for option in command.params:
        names = [name for name in (*option.opts, *option.secondary_opts) if name.startswith("-") and not option.hidden]
        assert [name for name in names if name not in shown] == []
    flat = " ".join(shown.split())
    for verb in getattr(command, "commands", {}):
        assert command.commands[verb].short_help in flat


@pytest.mark.parametrize(("words", "command"), VERBS)
def test_an_option_has_one_default(words: tuple[str, ...], command: Any) -> None:
    """Where the help says what happens without the option, no 0 or 0.0 stands beside it."""
    twice = [
        option.name
        for option in command.params
        if "(default" in (getattr(option, "help", "") or "")
        and option.show_default
        and option.default not in {None, ""}
    ]
    assert twice == [], words
