"""What the script tells the wrapper: one JSON object a line, marked, so that no library's talk is taken for one."""

import json
from collections.abc import Sequence

MARK = "@drawing "


class Refused(Exception):  # noqa: N818 - said as it is met: the job is refused
    """The job cannot be done. `problems`: for each what is wrong, where, and what to do."""

    def __init__(self, *problems: tuple[str, str, str]) -> None:
        super().__init__(problems[0][0])
        self.problems = problems


def tell_drawn(number: int, seconds: float, notes: Sequence[str]) -> None:
    """Say that the picture of that number, counted from 0, is at its target."""
    _tell({"drawn": number, "seconds": seconds, "notes": list(notes)})


def tell_loaded(seconds: float) -> None:
    """Say that the model is loaded; from here on every second belongs to a picture."""
    _tell({"loaded": seconds})


def tell_refused(refused: Refused) -> None:
    """Say why the job ends here."""
    _tell({"problems": [{"what": what, "where": where, "todo": todo} for what, where, todo in refused.problems]})


def _tell(message: dict[str, object]) -> None:
    print(f"{MARK}{json.dumps(message)}", flush=True)  # noqa: T201 - this process talks through its output
