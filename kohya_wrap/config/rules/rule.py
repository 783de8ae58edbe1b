"""What a rule is: a function that looks at a whole config and yields what is wrong with it."""

from collections.abc import Callable, Iterator

from kohya_wrap.config.model import TrainConfig
from kohya_wrap.errors import Problem

Stated = Callable[[str], bool]
"""Whether a "table.key" was written down with another value than its default."""

Rule = Callable[[TrainConfig, Stated], Iterator[Problem]]
"""Takes the config that takes effect; a default is never warned about, so rules on unused fields ask `Stated`."""


def warning(where: str, what: str, todo: str = "") -> Problem:
    """Give a problem that does not forbid the run."""
    return Problem(where, what, todo, "warning")


def unused(stated: Stated, where: str, why: str) -> Iterator[Problem]:
    """Warn about a field that was written down and changes nothing."""
    if stated(where):
        yield warning(where, f"has no effect {why}", "remove it, or change what it depends on")
