"""What goes into a launch and what comes out of it. Nothing here knows kohya."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """A command as a tuple with its whole environment and an absolute working folder.

    `secrets` names the environment variables whose values are never shown or recorded.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    secrets: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class OutputLine:
    """One line of a process. `transient`: it ended with a carriage return and will be overwritten (a bar).

    `seconds` is the time since the process started.
    """

    stream: Literal["stdout", "stderr"]
    text: str
    seconds: float
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a process ended. `returncode` is the child's (negative: killed by that signal, as subprocess says it).

    `stopped` names the last stage of stopping that was needed, empty when it ended by itself. `peak_memory` in bytes.
    """

    returncode: int
    seconds: float
    stopped: Literal["", "interrupt", "terminate", "kill"] = ""
    peak_memory: int = 0
