"""A base model once it is known what and where it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class BaseModelFile:
    """A base model on this machine, ready to be given to an engine.

    `path`: a .safetensors file or a diffusers folder, absolute. `sha256`: of the file; empty for a folder.
    `family`: a name in families.FAMILIES, "sdxl" or "unknown". `size` in bytes. `source`: the link or path as given.
    `builtin`: the toy base that the embedded engine makes at `path` itself when it is not there yet.
    """

    path: Path
    format: Literal["safetensors", "diffusers"]
    family: str
    size: int
    sha256: str = ""
    source: str = ""
    builtin: bool = False
