"""Civitai for tests: models with versions and files, and its answers as the site's code gives them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api_server import Answer, Asked, as_file, as_json

KEY = "civitai-key-0123456789abcdef"
"""The key that this Civitai accepts."""


@dataclass(frozen=True)
class CivitaiFile:
    """One file and its bytes."""

    id: int
    name: str
    content: bytes
    type: str = "Model"
    format: str = "SafeTensor"
    size: str = "pruned"
    fp: str = "fp16"
    scan: str = "Success"
    sha256: str = ""
    more_hashes: Mapping[str, str] = field(default_factory=dict)

    def as_json(self, site: str, version: int) -> dict[str, Any]:
        """Its entry in a version's files."""
        digest = self.sha256 or hashlib.sha256(self.content).hexdigest()
        return {
            "id": self.id,
            "name": self.name,
            "type": self.type,
            "sizeKB": len(self.content) / 1024,
            "metadata": {"format": self.format, "size": self.size, "fp": self.fp},
            "pickleScanResult": self.scan,
            "virusScanResult": "Success",
            "hashes": {"SHA256": digest.upper(), "AutoV2": digest[:10].upper(), **self.more_hashes},
            "downloadUrl": f"{site}/api/download/models/{version}",
        }


@dataclass(frozen=True)
class CivitaiVersion:
    """One version. `refuse`: the answer of the download address instead of the file."""

    id: int
    name: str
    files: tuple[CivitaiFile, ...]
    base: str = "SD 1.5"
    published: str = "2023-04-01T00:00:00.000Z"
    usage: str = "Download"
    login: bool = False
    refuse: Answer | None = None


@dataclass(frozen=True)
class CivitaiModel:
    """One model with its published versions."""

    id: int
    name: str
    versions: tuple[CivitaiVersion, ...]
    type: str = "Checkpoint"
    mode: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def short(self) -> dict[str, Any]:
        """What its versions repeat of it."""
        return {"name": self.name, "type": self.type, "nsfw": False, "poi": False, "mode": self.mode}


@dataclass
class Civitai:
    """The routes of one Civitai. `site`: its own address; `storage`: where the signed links lead."""

    models: list[CivitaiModel]
    site: str = ""
    storage: str = ""
    key: str = KEY

    def __call__(self, asked: Asked) -> Answer | None:
        """Answer what is Civitai's to answer."""
        parts = asked.path.strip("/").split("/")
        if parts[:3] == ["api", "v1", "me"]:
            return as_json({"id": 1}) if asked.token == self.key else as_json({"error": "Unauthorized"}, 401)
        if parts[:3] == ["api", "v1", "models"]:
            return self._model(parts[3])
        if parts[:3] == ["api", "v1", "model-versions"]:
            return self._version(parts[3:])
        if parts[:3] == ["api", "download", "models"]:
            return self._download(parts[3], asked)
        return None

    def _model(self, number: str) -> Answer:
        for model in self.models:
            if str(model.id) == number:
                versions = [self._version_json(version) for version in model.versions]
                head = {**model.short(), "id": model.id, "modelVersions": versions, **model.extra}
                return as_json(head)
        return as_json({"error": f"No model with id {number}"}, 404)

    def _version(self, parts: list[str]) -> Answer:
        for model, version in self._all():
            hashes = {value for file in version.files for value in file.as_json("", 0)["hashes"].values()}
            if parts[0] == "mini" and parts[1] == str(version.id):
                return as_json({"requireAuth": version.login, "availability": "Public"})
            by_hash = parts[0] == "by-hash" and parts[1].upper() in hashes
            if by_hash or parts[0] == str(version.id):
                return as_json({**self._version_json(version), "modelId": model.id, "model": model.short()})
        return as_json({"error": "Model not found"}, 404)

    def _version_json(self, version: CivitaiVersion) -> dict[str, Any]:
        return {
            "id": version.id,
            "name": version.name,
            "baseModel": version.base,
            "publishedAt": version.published,
            "availability": "Public",
            "usageControl": version.usage,
            "earlyAccessEndsAt": None,
            "stats": {"downloadCount": None},
            "files": [file.as_json(self.site, version.id) for file in version.files],
        }

    def _download(self, number: str, asked: Asked) -> Answer:
        found = [version for _, version in self._all() if str(version.id) == number]
        if not found:
            return as_json({"error": "File not found"}, 404)
        version = found[0]
        if any(word in asked.headers.get("user-agent", "").lower() for word in ("mozilla", "chrome", "safari")):
            return Answer(307, b"", {"Location": f"/login?returnUrl=/model-versions/{number}&reason=download-auth"})
        if version.login and asked.token != self.key:
            message = "The creator of this asset requires you to be logged in to download it"
            return as_json({"error": "Unauthorized", "message": message}, 401)
        if version.refuse:
            return version.refuse
        files = [file for file in version.files if asked.query.get("fileId", "") in {"", str(file.id)}]
        if not files:
            return as_json({"error": "File not found"}, 404)
        signed = f"{self.storage}/file/{files[0].id}?Authorization=signed-for-a-while&X-Amz-Signature=abcdef"
        return Answer(307, b"", {"Location": signed, "Cache-Control": "no-store"})

    def _all(self) -> list[tuple[CivitaiModel, CivitaiVersion]]:
        return [(model, version) for model in self.models for version in model.versions]

    def storage_route(self, asked: Asked) -> Answer | None:
        """Serve the files by their ids, as the storage behind the signed links does; a token is refused."""
        if not asked.path.startswith("/file/"):
            return None
        if "authorization" in asked.headers:
            return Answer(400, b"<Error><Code>InvalidRequest</Code></Error>", {"Content-Type": "application/xml"})
        for _, version in self._all():
            for file in version.files:
                if asked.path == f"/file/{file.id}":
                    return as_file(asked, file.content, {"ETag": f'"{file.id}"'})
        return None
