"""Draws the pictures of a job on one base model: draw.py JOB.json. Answers with lines that begin with @drawing.

Ends with 0 when all are drawn, with 3 when it refused, having said why.
"""

import errno
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from lines import Refused, tell_drawn, tell_loaded, tell_refused

REFUSED = 3
NOT_NEEDED = ("bitsandbytes", "peft", "xformers")
"""What diffusers imports where it finds them; they take a second of the start, and nothing here uses them."""
_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def main(job: dict[str, Any]) -> None:
    """Load, check every LoRA, then draw one picture after the other. Raises Refused."""
    started = time.monotonic()
    sys.modules.update(dict.fromkeys(NOT_NEEDED))  # Python's way to say that a module is not there
    # Here and not above, so that what goes wrong in them is said as all else is.
    import torch  # noqa: PLC0415
    from lora import check_files  # noqa: PLC0415

    paths = [Path(path) for path in dict.fromkeys(each["path"] for one in job["pictures"] for each in one["loras"])]
    _refuse(list(check_files(paths)))
    from drawing import Drawing  # noqa: PLC0415

    with torch.no_grad():
        drawing = Drawing(job)
        _refuse([problem for path in paths for problem in drawing.loras.problems(path)])
        tell_loaded(time.monotonic() - started)
        for number, picture in enumerate(job["pictures"]):
            begun = time.monotonic()
            notes = _drawn(drawing, picture)
            tell_drawn(number, time.monotonic() - begun, notes)


def _drawn(drawing: Any, picture: dict[str, Any]) -> list[str]:
    """Draw one, and name it where what is refused has no other place."""
    try:
        return drawing.draw(picture)
    except (Refused, OSError, MemoryError, RuntimeError) as error:
        refused = error if isinstance(error, Refused) else what_ran_out(error)
        if refused is None:
            raise
        named = [(what, where or picture["target"], todo) for what, where, todo in refused.problems]
        raise Refused(*named) from error


def _refuse(problems: list[tuple[str, str, str]]) -> None:
    if problems:
        raise Refused(*problems)


def what_ran_out(error: Exception) -> Refused | None:
    """Give what to tell where an error says that the disk or memory is full, else None."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return Refused(("the disk is full", str(error.filename or ""), "free some space and draw again"))
    if isinstance(error, MemoryError) or any(words in str(error).lower() for words in _MEMORY):
        what = f"memory ran out: {str(error).splitlines()[0][:200] if str(error) else 'MemoryError'}"
        return Refused((what, "", "draw smaller pictures, or on the CPU, or close what else uses the GPU"))
    return None


if __name__ == "__main__":
    try:
        main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    except Refused as refused:
        tell_refused(refused)
        sys.exit(REFUSED)
    except (OSError, MemoryError, RuntimeError) as error:
        said = what_ran_out(error)
        if said is None:
            raise
        tell_refused(said)
        sys.exit(REFUSED)
    # Taking torch down nicely costs a second and changes nothing.
    sys.stdout.flush()
    os._exit(0)
