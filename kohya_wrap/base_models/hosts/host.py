"""What a model host is: it understands links, and says which file is behind one.

To add a host: its module, one line in hosts.HOSTS, its test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from kohya_wrap.base_models.access import Access
from kohya_wrap.errors import BaseModelError

OnProgress = Callable[[int, int], None]
"""Takes the bytes that are there and the bytes in all (0 when unknown)."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file that a host offers. `size` in bytes, 0 when unknown; `size_is_exact` is false where the host rounds.

    `format`: safetensors, pickle, diffusers, or the host's word. `precision`: fp16, fp32, … or empty. `id`: the host's
    own. `kind`: the host's word for what the file is (Model, VAE, …). `hashes`: by the host's names, lower-case hex.
    """

    name: str
    size: int = 0
    size_is_exact: bool = True
    sha256: str = ""
    format: str = ""
    precision: str = ""
    pruned: bool | None = None
    id: str = ""
    kind: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What is behind a link. `chosen` is one of `files`; `blocked` says why it cannot be fetched, if it cannot.

    `pinned_link`: a link to exactly this version and file. `page`: for a person's browser. `direct`: the address that
    leads to the bytes, without secrets. `family`: a name in families.FAMILIES where the host says it, else "unknown".
    `login_needed`: None when the host does not say. `notes`: whole sentences about the choice; `licence`: the host's
    notes on permissions. `key`: what tells the file from every other where `direct` hides a part; shows no secret.
    """

    source: str
    host: str
    name: str
    version: str
    kind: str
    base: str
    files: tuple[RemoteFile, ...]
    chosen: RemoteFile
    page: str
    direct: str
    pinned_link: str
    login_needed: bool | None = None
    notes: tuple[str, ...] = ()
    licence: tuple[str, ...] = ()
    blocked: BaseModelError | None = None
    family: str = "unknown"
    key: str = ""


@dataclass(frozen=True, slots=True)
class WebSource:
    """Bytes behind an address. `address()` gives a fresh one each time, for a signed one ends after a while.

    `headers` may hold a token: they go to the host of the address, never to another one, and are not shown.
    """

    address: Callable[[], str] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class HubSource:
    """A file, or a folder of files, that huggingface_hub fetches: `fetch(folder, on_progress)` verifies and gives it.

    What an interrupted fetch left in `folder` is taken up again. `web`: where a single file's first bytes can be read.
    """

    fetch: Callable[[Path, OnProgress | None], Path] = field(repr=False)
    is_folder: bool
    web: WebSource | None = None


Source = WebSource | HubSource


@dataclass(frozen=True, slots=True)
class Choice:
    """How to choose among several files. `role`: "base model" or "VAE"; `file`: a file's id or name, or empty."""

    role: str = "base model"
    file: str = ""
    details: bool = False


class Link(Protocol):
    """A link that one host understood. It was read without the network, and shows no secret."""

    @property
    def host(self) -> str:
        """The host's name."""
        ...

    @property
    def shown(self) -> str:
        """The link as it may be shown and recorded; two links to the same thing may be shown differently."""
        ...

    @property
    def name(self) -> str:
        """A name for the file before anything is known, for messages."""
        ...

    @property
    def sha256(self) -> str:
        """The file's SHA256 where the link itself says it, else empty."""
        ...

    @property
    def sha256_start(self) -> str:
        """The beginning of the SHA256, ten digits or all, where the link says it, else empty."""
        ...

    @property
    def is_exact(self) -> bool:
        """Whether `shown` alone leads to the same thing again: nothing of the link is hidden."""
        ...

    def resolve(self, access: Access, choice: Choice) -> Resolved:
        """Ask the host what is behind the link. Raises a BaseModelError of base_models/errors.py."""
        ...

    def source(self, resolved: Resolved, access: Access) -> Source:
        """Say how to get the bytes that `resolve` chose; may ask for a signed address."""
        ...


class Host(Protocol):
    """A place that models come from."""

    @property
    def name(self) -> str:
        """Its name in messages."""
        ...

    def read(self, text: str) -> Link | None:
        """Understand a link without the network, or give None. Raises LinkError for one that it knows to be wrong."""
        ...
