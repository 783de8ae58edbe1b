"""Verbs that are imported when they are used: one verb does not pay for the libraries of all others."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command


class _Commands(dict[str, Any]):
    """name -> "module:attribute", which is a function or a typer.Typer of its own; asked for, it is the command."""

    def __getitem__(self, name: str) -> Any:
        return _load(name, super().__getitem__(name))

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 - dict.get would not load it


def lazy_group(verbs: Mapping[str, str]) -> type[TyperGroup]:
    """Make the class of a group of `verbs`, in the order of the table."""

    class LazyGroup(TyperGroup):
        """Loads each verb when it is asked for."""

        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.commands = _Commands(verbs)

    return LazyGroup


def _load(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command(name)(found)
        found = app
    command = get_command(found)
    command.name = name
    return _plain(command)


def _plain(command: Any) -> Any:
    """Have a command, and those below it, print plain help: a table of rich's cuts the names of options off."""
    command.rich_markup_mode = None
    command.short_help = " ".join((command.help or "").split("\n\n")[0].split())
    verbs = getattr(command, "commands", {})
    if not isinstance(verbs, _Commands):  # those are made plain when they are loaded
        for verb in verbs.values():
            _plain(verb)
    return command
