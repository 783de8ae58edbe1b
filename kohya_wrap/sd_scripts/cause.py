"""One row of the table of causes."""

import re
from dataclasses import dataclass

from kohya_wrap.errors import TrainingError

ANOTHER_BASE = "check the base model's file: download it again, or give another one"


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause. `pattern` is searched in the exception's last line, with `whole` in its traceback.

    `what` is one sentence; {names} are the pattern's groups. `named_by` finds the file in an earlier line.
    """

    pattern: re.Pattern[str]
    error: type[TrainingError]
    what: str
    todo: str
    named_by: re.Pattern[str] | None = None
    whole: bool = False


def cause(
    pattern: str,
    error: type[TrainingError],
    what: str,
    todo: str,
    named_by: re.Pattern[str] | None = None,
    *,
    whole: bool = False,
) -> Cause:
    """Give a row; the pattern is a regular expression."""
    return Cause(re.compile(pattern), error, what, todo, named_by, whole)
