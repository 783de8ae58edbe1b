"""Read what people paste for a model on Civitai: pages, API and download links, AIR names, hashes."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from kohya_wrap.base_models.access import NO_SECRET, Secret
from kohya_wrap.base_models.errors import LinkError

_HOST = re.compile(r"^(?:https?://)?(?:www\.|api\.)?civitai\.(com|red|green|blue|buzz)(?=[/?#]|$)", re.IGNORECASE)
_AIR = re.compile(
    r"^(?:urn:)?(?:air:)?(?:[\w.-]+:[\w.-]+:)?civitai:(?P<model>\d+)(?:@(?P<version>\d+))?(?:\+(?P<file>\d+))?(?:\.\w+)?$",
    re.IGNORECASE,
)
_HASH = re.compile(r"^(?:sha256:)?([0-9a-f]{8}|[0-9a-f]{10}|[0-9a-f]{12}|[0-9a-f]{64})$", re.IGNORECASE)
_PATHS = (
    (re.compile(r"^/api/download/models/(?P<version>\d+)"), "version"),
    (re.compile(r"^/api/v1/model-versions/by-hash/(?P<hash>[0-9A-Fa-f]+)"), "hash"),
    (re.compile(r"^/(?:api/v1/)?model-versions/(?:mini/)?(?P<version>\d+)"), "version"),
    (re.compile(r"^/(?:api/v1/)?models/(?P<model>\d+)"), "model"),
)
_WISHES = ("type", "format", "size", "fp")
_LARGEST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class CivitaiName:
    """Which model, version and file a link names; empty where it does not say. `hash` in lower-case hex, any kind.

    `wishes`: the type, format, size and fp of a download link. `red`: the link was of the host that shows everything.
    """

    model: str = ""
    version: str = ""
    file: str = ""
    hash: str = ""
    wishes: tuple[tuple[str, str], ...] = ()
    red: bool = False
    token: Secret = NO_SECRET

    @property
    def shown(self) -> str:
        """One spelling for each thing, without the token."""
        if self.hash:
            return f"civitai hash {self.hash}"
        site = "https://civitai.red" if self.red else "https://civitai.com"
        if not self.model:
            query = "&".join(f"{key}={value}" for key, value in (("fileId", self.file), *self.wishes) if value)
            return f"{site}/api/download/models/{self.version}" + (f"?{query}" if query else "")
        query = "&".join(f"{k}={v}" for k, v in (("modelVersionId", self.version), ("fileId", self.file)) if v)
        return f"{site}/models/{self.model}" + (f"?{query}" if query else "")


def read_civitai(text: str) -> CivitaiName | None:
    """Understand `text`, or give None when it is nothing of Civitai's. Raises LinkError for a page without a model."""
    text = text.strip()
    if match := _AIR.match(text):
        return CivitaiName(match["model"], match["version"] or "", match["file"] or "")
    if match := _HASH.match(text):
        return CivitaiName(hash=match[1].lower())
    if not (match := _HOST.match(text)):
        return None
    return _read_url(text if "://" in text else f"https://{text}", red=match[1].lower() in {"red", "blue"})


def _read_url(url: str, *, red: bool) -> CivitaiName:
    parts = urlsplit(url)
    query = {key.lower(): values[-1] for key, values in parse_qs(parts.query).items()}
    token = Secret(query.get("token", ""))
    for pattern, _ in _PATHS:
        if match := pattern.match(parts.path):
            found = match.groupdict()
            version = found.get("version") or _number(query.get("modelversionid", ""))
            return CivitaiName(
                model=_checked(found.get("model") or ""),
                version=_checked(version),
                file=_number(query.get("fileid", "")),
                hash=(found.get("hash") or "").lower(),
                wishes=tuple((key, query[key]) for key in _WISHES if key in query),
                red=red,
                token=token,
            )
    raise LinkError(
        f"this page of Civitai is no model's: {parts.path or '/'}",
        where=f"{parts.hostname}{parts.path}",
        todo="open the model's page and copy its address (civitai.com/models/NUMBER)",
    )


def _number(text: str) -> str:
    return text if text.isdecimal() else ""


def _checked(number: str) -> str:
    if number and not 1 <= int(number) <= _LARGEST_ID:
        raise LinkError(f"{number} is no number of a model on Civitai", todo="copy the link again")
    return number
