"""What all tables of a preset share: frozen, closed, strictly typed, documented by attribute docstrings."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Table(BaseModel):
    """One table of a preset. Unknown keys are errors, values are never coerced, an instance never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


@dataclass(frozen=True, slots=True)
class Slider:
    """The notebook's slider for a number field: outside it a preset is warned about, not refused."""

    low: float
    high: float
    step: float = 1


Strings = Annotated[tuple[str, ...], Field(strict=False)]
"""A list of strings, given as a TOML array."""

PositiveNumber = Annotated[int, Field(gt=0)] | Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A number above 0 that stays whole where it is written whole, as the engine's files have it."""
