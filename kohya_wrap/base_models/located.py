"""What is known of a base model before anything is fetched."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kohya_wrap.base_models.hosts.host import Link
from kohya_wrap.base_models.types import BaseModelFile
from kohya_wrap.errors import BaseModelError, Problem

Role = Literal["base model", "VAE"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a preset asks of the file. `field`: where the preset names it, for messages. `family`: the one it trains.

    `sha256`: the pinned hash, or empty. `allow_pickle`: a .ckpt may be converted.
    """

    role: Role
    field: str
    family: str
    sha256: str = ""
    allow_pickle: bool = False


@dataclass(frozen=True, slots=True)
class PlannedDownload:
    """What would be fetched. `size` in bytes, 0 when only the host knows. `link` holds no secret."""

    name: str
    link: str
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Located:
    """Where a base model is: on this machine (`file`), to be fetched (`download`), or not usable (`failure`).

    `source`: the link, path or name as given, without secrets. `pickle`: a .ckpt here that is yet to be converted.
    """

    source: str
    wanted: Wanted
    file: BaseModelFile | None = None
    download: PlannedDownload | None = None
    link: Link | None = None
    pickle: Path | None = None
    failure: BaseModelError | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that stands in the way, empty when it can be used or fetched."""
        return self.failure.problems if self.failure else ()
