"""Finds the exception that matters in the last lines of an engine that failed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_RANK = re.compile(r"^\[rank\d+\]: ?")
_HEAD = "Traceback (most recent call last):"
_LAUNCHER = ("subprocess.CalledProcessError", "torch.distributed.elastic.multiprocessing.errors.ChildFailedError")
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
    own = [raised for raised in exceptions(lines) if not raised.text.startswith(_LAUNCHER)]
    return own[-1] if own else None


def traceback_tail(lines: Sequence[str], *, count: int = 8) -> tuple[str, ...]:
    """Give the last lines of the traceback that matters, or of the output where there is none."""
    raised = real_exception(lines)
    source = raised.lines if raised else tuple(line for line in lines if line.strip())
    # The marks under a source line (^^^^) say nothing without colours and line lengths.
    return tuple(line.rstrip() for line in source if line.strip(" ^~"))[-count:]
