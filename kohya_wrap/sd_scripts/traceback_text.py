"""Finds the exception that matters in the last lines of an engine that failed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_RANK = re.compile(r"^\[rank\d+\]: ?")
_HEAD = "Traceback (most recent call last):"
LAUNCHER = ("subprocess.CalledProcessError", "torch.distributed.elastic.multiprocessing.errors.ChildFailedError")
"""Exceptions that the launcher raises because the engine failed."""

_EXCEPTION = re.compile(r"^[\w.]+(?:: |$)")


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception as Python printed it: its last line, and the whole traceback with it."""

    text: str
    lines: tuple[str, ...]


def exceptions(lines: Sequence[str]) -> tuple[Raised, ...]:
    """List the exceptions that Python printed, in order. Bars before a traceback on its line are cut off."""
    found: list[Raised] = []
    block: list[str] | None = None
    for raw in lines:
        line = _RANK.sub("", raw)
        if _HEAD in line:
            block = [_HEAD]
        elif block is not None:
            block.append(line)
            if line.strip() and not line.startswith(" ") and _EXCEPTION.match(line):
                found.append(Raised(line.strip(), tuple(block)))
                block = None
    return tuple(found)


def real_exception(lines: Sequence[str]) -> Raised | None:
    """Give the last exception of the engine itself: the launcher prints one of its own after it."""
    own = [raised for raised in exceptions(lines) if not raised.text.startswith(LAUNCHER)]
    return own[-1] if own else None


def traceback_tail(lines: Sequence[str], *, count: int = 8) -> tuple[str, ...]:
    """Give the last lines of the traceback that matters, or of the engine's output where there is none."""
    raised = real_exception(lines)
    source = raised.lines if raised else _before_launcher(lines)
    # The marks under a source line (^^^^) say nothing without colours and line lengths.
    return tuple(line.rstrip() for line in source if line.strip(" ^~"))[-count:]


def _before_launcher(lines: Sequence[str]) -> tuple[str, ...]:
    """Leave out the launcher's own traceback at the end, which says only that the engine failed."""
    heads = [index for index, line in enumerate(lines) if _HEAD in line]
    if not heads or not any(line.startswith(LAUNCHER) for line in lines[heads[-1] :]):
        return tuple(lines)
    last = lines[heads[-1]].partition(_HEAD)[0]
    return (*lines[: heads[-1]], last)
