"""Read what people paste for a model on Hugging Face: blob, resolve and tree links, repo ids, hf://."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from kohya_wrap.base_models.errors import LinkError

_HOST = re.compile(r"^(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co|hf-mirror\.com)(?=[/?#]|$)", re.IGNORECASE)
_REPO_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")
_FILE_WORDS = frozenset({"blob", "resolve", "raw", "blame"})
_KINDS: dict[str, Literal["model", "dataset", "space"]] = {"models": "model", "datasets": "dataset", "spaces": "space"}


@dataclass(frozen=True, slots=True)
class HuggingFaceName:
    """A file, a folder or a whole repository. `revision`: a branch, tag or commit; `path` is empty for the whole."""

    repo: str
    revision: str = "main"
    path: str = ""
    repo_type: Literal["model", "dataset", "space"] = "model"
    is_file: bool = False

    @property
    def shown(self) -> str:
        """The link in one spelling."""
        kind = {"model": "", "dataset": "datasets/", "space": "spaces/"}[self.repo_type]
        site = f"https://huggingface.co/{kind}{self.repo}"
        if self.is_file:
            return f"{site}/resolve/{self.revision}/{self.path}"
        return (
            site
            if self.revision == "main" and not self.path
            else f"{site}/tree/{self.revision}/{self.path}".rstrip("/")
        )

    @property
    def file_name(self) -> str:
        """The last part of what it names."""
        return PurePosixPath(self.path or self.repo).name


def read_hugging_face(text: str) -> HuggingFaceName | None:
    """Understand `text`, or give None when it is nothing of Hugging Face's. Raises LinkError for other pages."""
    text = text.strip()
    if text.startswith("hf://"):
        return _read_hf_uri(text)
    if match := _HOST.match(text):
        path = urlsplit(text if "://" in text else f"https://{text}").path
        return _read_path(path, shown=match[0] + path)
    return HuggingFaceName(text) if _REPO_ID.match(text) else None


def _read_hf_uri(text: str) -> HuggingFaceName:
    parts = text.removeprefix("hf://").split("/")
    repo_type = _KINDS.get(parts[0], "model")
    if parts[0] in _KINDS:
        parts = parts[1:]
    match = re.match(
        r"^(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>refs/[^/]+/[^/]+|[^/]+))?(?:/(?P<path>.+))?$", "/".join(parts)
    )
    if match is None:
        raise _no_model(text)
    path = unquote(match["path"] or "").strip("/")
    is_file = "." in PurePosixPath(path).name
    return HuggingFaceName(match["repo"], unquote(match["revision"] or "main"), path, repo_type, is_file)


def _read_path(path: str, *, shown: str) -> HuggingFaceName:
    parts = [part for part in path.split("/") if part]
    repo_type = _KINDS.get(parts[0], "model") if parts else "model"
    if parts and parts[0] in _KINDS:
        parts = parts[1:]
    length = 1 if len(parts) > 1 and parts[1] in _FILE_WORDS | {"tree"} else 2
    repo, rest = "/".join(parts[:length]), parts[length:]
    if len(parts) < length or not (length == 1 or _REPO_ID.match(repo)):
        raise _no_model(shown)
    if not rest:
        return HuggingFaceName(repo, repo_type=repo_type)
    word, *rest = rest
    if word not in _FILE_WORDS | {"tree"} or not rest or (word in _FILE_WORDS and len(rest) < 2):
        raise _no_model(shown)
    count = 3 if rest[0] == "refs" and len(rest) > 2 else 1  # refs/pr/1 is one revision
    revision = unquote("/".join(rest[:count]))
    return HuggingFaceName(repo, revision, unquote("/".join(rest[count:])), repo_type, word in _FILE_WORDS)


def _no_model(shown: str) -> LinkError:
    todo = "copy the address of the file (…/blob/main/NAME.safetensors) or of the repository (USER/NAME)"
    return LinkError("this page of Hugging Face is neither a file nor a repository", where=shown, todo=todo)
