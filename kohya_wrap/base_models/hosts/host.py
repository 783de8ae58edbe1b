"""What a model host is: it understands links, and says which file is behind one. Registered in hosts.HOSTS."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Link(Protocol):
    """A link that one host understood; reading it costs nothing, holds no secret and touches no network."""

    @property
    def host(self) -> str:
        """The host's name in the registry."""
        ...

    @property
    def shown(self) -> str:
        """The link as it may be shown and recorded."""
        ...

    @property
    def sha256(self) -> str:
        """The file's SHA256 when the link itself says it, else empty."""
        ...


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file that a host offers. `size` in bytes, 0 when unknown. `hashes` by the host's names, lower-case hex."""

    name: str
    url: str
    size: int = 0
    sha256: str = ""
    format: str = ""
    precision: str = ""
    pruned: bool | None = None
    id: str = ""
    kind: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)
