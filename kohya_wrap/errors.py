"""The one error tree. Every message says what happened, where, and what to do next; every class has an exit code.

    KohyaWrapError                1   something failed (the base of all others; never raised bare)
    ├── PresetError              10   the preset is wrong; `problems` lists everything that is
    ├── DatasetError             11   the pictures or captions are wrong; `problems` likewise
    ├── BaseModelError           12   the base model cannot be found, fetched or trained on
    │   └── (download errors, 40 to 59, in base_models/errors.py)
    ├── EngineError              13   the engine is not set up, or cannot do what the preset asks
    ├── ProjectBusyError         14   another run holds the project's lock
    ├── OutputError              15   a folder or file of the project cannot be written or read
    ├── TrainingError            20   the engine failed for a reason that none of these names
    │   ├── OutOfMemoryError     21   GPU or host memory ran out
    │   ├── NoDataError          22   the engine found nothing to train on
    │   ├── WrongFamilyError     23   the base model is of another family, or no base model at all
    │   ├── MissingFileError     24   the engine could not open a file it was given
    │   ├── NoCudaError          25   the preset needs a GPU that is not there
    │   ├── MissingPackageError  26   the engine's environment lacks a package
    │   ├── DiskFullError        27   the disk is full
    │   ├── KilledError          28   the engine was killed from outside
    │   ├── LossNotFiniteError   29   the loss became nan or inf
    │   ├── PlanMismatchError    30   the engine counted other images or steps than the plan
    │   ├── BadResultError       31   the run ended, but what it left is not a whole, finite LoRA
    │   └── StalledError         32   the engine printed nothing for longer than [engine] stall_minutes
    ├── DrawingError             60   a test picture cannot be drawn
    │   └── WebUIError           61   a web UI's server cannot be reached, or refuses
    └── InterruptedRunError     130   Ctrl-C; what was saved is kept

Exit code 2 is the command line's own (a flag that does not exist).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `where` (table.key or a path), `what`, what `todo`, and how bad it is.

    `code` is a short stable name ("truncated-image") for findings that a user may accept by name.
    """

    where: str
    what: str
    todo: str = ""
    severity: Literal["error", "warning"] = "error"
    code: str = ""

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head} → {self.todo}" if self.todo else head


class KohyaWrapError(Exception):
    """Base of every error this package raises on purpose; `problems` is never empty."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", todo: str = "", problems: Iterable[Problem] = ()) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems) or (Problem(where=where, what=what, todo=todo),)
        self.what = what
        self.where = where
        self.todo = todo
        super().__init__(str(Problem(where=where, what=what, todo=todo)))

    @classmethod
    def of(cls, problems: Iterable[Problem], *, what: str = "") -> "KohyaWrapError":
        """Build one error from several problems; the message has a line for each."""
        listed = tuple(problems)
        head = what or (f"{len(listed)} problems" if len(listed) > 1 else "1 problem")
        error = cls(head, problems=listed)
        error.args = ("\n".join([head, *(f"  {problem}" for problem in listed)]),)
        return error


class PresetError(KohyaWrapError):
    """The preset is wrong."""

    exit_code = 10


class DatasetError(KohyaWrapError):
    """The pictures or captions are wrong."""

    exit_code = 11


class BaseModelError(KohyaWrapError):
    """The base model cannot be found, fetched or trained on."""

    exit_code = 12


class EngineError(KohyaWrapError):
    """The engine is not set up, or cannot do what the preset asks."""

    exit_code = 13


class ProjectBusyError(KohyaWrapError):
    """Another run holds the project's lock."""

    exit_code = 14


class OutputError(KohyaWrapError):
    """A folder or file of the project cannot be written or read."""

    exit_code = 15


class TrainingError(KohyaWrapError):
    """The engine failed for a reason that none of the subclasses names."""

    exit_code = 20


class OutOfMemoryError(TrainingError):
    """GPU or host memory ran out."""

    exit_code = 21


class NoDataError(TrainingError):
    """The engine found nothing to train on."""

    exit_code = 22


class WrongFamilyError(TrainingError):
    """The base model is of another family, or no base model at all."""

    exit_code = 23


class MissingFileError(TrainingError):
    """The engine could not open a file it was given."""

    exit_code = 24


class NoCudaError(TrainingError):
    """The preset needs a GPU that is not there."""

    exit_code = 25


class MissingPackageError(TrainingError):
    """The engine's environment lacks a package."""

    exit_code = 26


class DiskFullError(TrainingError):
    """The disk is full."""

    exit_code = 27


class KilledError(TrainingError):
    """The engine was killed from outside."""

    exit_code = 28


class LossNotFiniteError(TrainingError):
    """The loss became nan or inf."""

    exit_code = 29


class PlanMismatchError(TrainingError):
    """The engine counted other images or steps than the plan."""

    exit_code = 30


class BadResultError(TrainingError):
    """The run ended, but what it left is not a whole, finite LoRA."""

    exit_code = 31


class StalledError(TrainingError):
    """The engine printed nothing for longer than the preset allows."""

    exit_code = 32


class DrawingError(KohyaWrapError):
    """A test picture cannot be drawn; those that were drawn before it are kept."""

    exit_code = 60


class WebUIError(DrawingError):
    """A web UI's server cannot be reached, refuses, or lacks what is asked of it."""

    exit_code = 61


class InterruptedRunError(KohyaWrapError):
    """The user stopped the run; what was saved is kept."""

    exit_code = 130
