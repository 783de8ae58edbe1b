"""Hugging Face for tests: repositories with files, and the headers that huggingface_hub reads."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from api_server import Answer, Asked, as_file, as_json

TOKEN = "hf_0123456789abcdefghij"
"""The token that this Hugging Face accepts."""

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def git_hash(content: bytes) -> str:
    """Git's blob hash."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass
class HuggingFace:
    """The routes of one Hugging Face with one repository at one commit; large files are LFS files.

    `damaged`: paths whose bytes are not those that their hash announces. `fail`: an answer to everything.
    """

    repo: str
    files: Mapping[str, bytes]
    storage: str = ""
    gated: bool = False
    private: bool = False
    damaged: frozenset[str] = frozenset()
    fail: Answer | None = None
    card: Mapping[str, object] = field(default_factory=lambda: {"license": "creativeml-openrail-m"})

    def __call__(self, asked: Asked) -> Answer | None:
        """Answer what is Hugging Face's to answer."""
        if self.fail:
            return self.fail
        api = f"/api/models/{self.repo}"
        if asked.path == api or asked.path.startswith(f"{api}/revision/"):
            return self._refusal(asked, allow_gated=True) or self._info(asked)
        if asked.path.startswith(f"/{self.repo}/resolve/"):
            revision, _, path = asked.path.removeprefix(f"/{self.repo}/resolve/").partition("/")
            return self._refusal(asked) or self._resolve(revision, path, asked)
        return _error(404, "RepoNotFound")

    def storage_route(self, asked: Asked) -> Answer | None:
        """Answer what is the storage's to answer, another server."""
        return self._lfs(asked) if asked.path.startswith("/lfs/") else None

    def _refusal(self, asked: Asked, *, allow_gated: bool = False) -> Answer | None:
        if asked.token and asked.token != TOKEN:
            message = "Invalid credentials in Authorization header"
            return as_json({"error": message}, 401, {"X-Error-Message": message})
        if self.private and asked.token != TOKEN:
            return _error(401, "RepoNotFound")
        if self.gated and not allow_gated and asked.token != TOKEN:
            return _error(401, "GatedRepo")
        return None

    def _info(self, asked: Asked) -> Answer:
        revision = asked.path.partition("/revision/")[2] or "main"
        if revision not in {"main", COMMIT}:
            return _error(404, "RevisionNotFound")
        siblings = [self._sibling(path, content) for path, content in self.files.items()]
        gated = "auto" if self.gated else False
        head = {"id": self.repo, "modelId": self.repo, "sha": COMMIT, "private": self.private, "gated": gated}
        return as_json({**head, "siblings": siblings, "cardData": self.card, "tags": [], "downloads": 0})

    def _sibling(self, path: str, content: bytes) -> dict[str, object]:
        entry: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": git_hash(content)}
        if _is_lfs(path):
            digest = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 134}
        return entry

    def _resolve(self, revision: str, path: str, asked: Asked) -> Answer:
        if revision not in {"main", COMMIT}:
            return _error(404, "RevisionNotFound")
        if path not in self.files:
            return _error(404, "EntryNotFound")
        content = self.files[path]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{git_hash(content)}"'}
        if not _is_lfs(path):
            return as_file(asked, self._sent(path), headers)
        digest = hashlib.sha256(content).hexdigest()
        linked = {"X-Linked-ETag": f'"{digest}"', "X-Linked-Size": str(len(content))}
        return Answer(302, b"", {**headers, **linked, "Location": f"{self.storage}/lfs/{path}?X-Amz-Signature=abc"})

    def _lfs(self, asked: Asked) -> Answer:
        return as_file(asked, self._sent(asked.path.removeprefix("/lfs/")), {"ETag": '"storage"'})

    def _sent(self, path: str) -> bytes:
        content = self.files[path]
        return content[:-1] + bytes([content[-1] ^ 1]) if path in self.damaged else content


def _is_lfs(path: str) -> bool:
    return path.endswith((".safetensors", ".ckpt", ".bin"))


def _error(status: int, code: str) -> Answer:
    return as_json({"error": code}, status, {"X-Error-Code": code})
