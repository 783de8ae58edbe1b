"""Any https link that no other host understands: what is behind it is only known once it has been fetched."""

import base64
import hashlib
import ipaddress
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit, urlunsplit

from kohya_wrap.base_models.access import Access, Secret
from kohya_wrap.base_models.errors import LinkError
from kohya_wrap.base_models.hosts.host import Choice, Link, RemoteFile, Resolved, Source, WebSource
from kohya_wrap.base_models.redact import public_url

_FORMATS = {".ckpt": "pickle", ".pt": "pickle", ".pth": "pickle", ".bin": "pickle"}


@dataclass(frozen=True, slots=True)
class DirectLink:
    """A link to the bytes themselves. The whole address may let someone in, so it is a secret."""

    address: Secret

    @property
    def host(self) -> str:
        """The host's name."""
        return "direct"

    @property
    def shown(self) -> str:
        """The address without what may be a token."""
        return public_url(self.address.reveal())

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(unquote(urlsplit(self.address.reveal()).path)).name or "model"

    @property
    def sha256(self) -> str:
        """A direct link never says it."""
        return ""

    @property
    def sha256_start(self) -> str:
        """Nor a part of it."""
        return ""

    @property
    def is_exact(self) -> bool:
        """A hidden parameter may be what tells one file from another."""
        return self.shown == self.address.reveal()

    def resolve(self, access: Access, choice: Choice) -> Resolved:
        """Say what the address alone says; nothing is asked."""
        del access, choice
        ending = PurePosixPath(self.name.lower()).suffix
        file = RemoteFile(self.name, format=_FORMATS.get(ending, "safetensors"))
        return Resolved(
            source=self.shown,
            host=urlsplit(self.address.reveal()).hostname or "",
            name=self.name,
            version="",
            kind="",
            base="",
            files=(file,),
            chosen=file,
            page="",
            direct=self.shown,
            pinned_link=self.shown,
            key=hashlib.sha256(self.address.reveal().encode()).hexdigest(),
        )

    def source(self, resolved: Resolved, access: Access) -> Source:
        """Give the address; a user name and password in it go into the header."""
        del resolved, access
        parts = urlsplit(self.address.reveal())
        user, _, host = parts.netloc.rpartition("@")
        address = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
        basic = base64.b64encode(unquote(user).encode()).decode()
        return WebSource(lambda: address, {"Authorization": f"Basic {basic}"} if user else {})


class Direct:
    """The host of last resort."""

    name = "direct"

    def read(self, text: str) -> Link | None:
        """Understand an https address; plain http only to this machine. Raises LinkError for other schemes."""
        text = text.strip()
        try:
            parts = urlsplit(text)
            parts.port  # noqa: B018 - asking for it is what tells whether it is a number
        except ValueError as error:
            raise LinkError("this address is none", where=public_url(text), todo="copy the link again") from error
        if "://" not in text or not parts.hostname:
            return None
        if parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts.hostname)):
            return DirectLink(Secret(text))
        todo = "give an https link, or fetch the file yourself and give its path"
        raise LinkError(f"links of {parts.scheme}:// are not fetched", where=public_url(text), todo=todo)


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
