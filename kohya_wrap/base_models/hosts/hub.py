"""The only door to huggingface_hub: what is in a repository, and getting a file of it; its errors become ours."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kohya_wrap._version import __version__
from kohya_wrap.base_models.access import Access
from kohya_wrap.base_models.errors import (
    AccessDeniedError,
    GatedRepositoryError,
    HashMismatchError,
    LoginNeededError,
    NotFoundError,
    OfflineError,
    ServerError,
    TokenRefusedError,
)
from kohya_wrap.base_models.hosts.host import OnProgress, WebSource
from kohya_wrap.base_models.hosts.hugging_face_link import HuggingFaceName
from kohya_wrap.base_models.web import no_network, shared_error, tls_error
from kohya_wrap.errors import BaseModelError

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

SECONDS = 30.0
WHERE_TOKENS_ARE_MADE = "make a token at huggingface.co/settings/tokens and set HF_TOKEN to it"


@dataclass(frozen=True, slots=True)
class RepoFile:
    """One file of a repository. `sha256` of a Git LFS file, else `blob_id`, the git hash. `size` in bytes."""

    path: str
    size: int
    sha256: str = ""
    blob_id: str = ""


@dataclass(frozen=True, slots=True)
class Repo:
    """A repository at one commit. `gated`: its terms must be accepted first."""

    name: HuggingFaceName
    commit: str
    files: tuple[RepoFile, ...]
    gated: bool = False
    licence: str = ""


def ask_repo(name: HuggingFaceName, access: Access) -> Repo:
    """Ask what files a repository has at `name.revision`. Raises a BaseModelError."""
    with own_errors(name, access):
        try:
            info = _api(access).repo_info(
                name.repo, revision=name.revision, repo_type=name.repo_type, files_metadata=True, timeout=SECONDS
            )
        except (KeyError, TypeError, ValueError, AttributeError):  # JSON of another shape, or none
            raise _strange(access) from None
    files = tuple(
        RepoFile(
            sibling.rfilename, sibling.size or 0, (sibling.lfs.sha256 if sibling.lfs else ""), sibling.blob_id or ""
        )
        for sibling in getattr(info, "siblings", None) or ()
        if ".." not in PurePosixPath(sibling.rfilename).parts and not sibling.rfilename.startswith("/")
    )
    card = getattr(info, "card_data", None)
    licence = str(card.get("license") or "") if card else ""
    return Repo(name, info.sha or "", files, bool(getattr(info, "gated", False)), licence)


def ask_file(name: HuggingFaceName, access: Access) -> tuple[RepoFile, str]:
    """Ask for size and hash of one file, in one request, and for the commit that its revision is now."""
    from huggingface_hub import hf_hub_url  # noqa: PLC0415 - slow to import, and most commands never ask a host

    url = hf_hub_url(
        name.repo, name.path, repo_type=name.repo_type, revision=name.revision, endpoint=access.hugging_face
    )
    with own_errors(name, access):
        data = _api(access).get_hf_file_metadata(url=url, timeout=SECONDS)
    etag = data.etag or ""
    is_sha256 = len(etag) == 64
    file = RepoFile(name.path, data.size or 0, etag if is_sha256 else "", "" if is_sha256 else etag)
    return file, data.commit_hash or name.revision


def file_source(name: HuggingFaceName, access: Access) -> WebSource:
    """Give the address of one file's bytes, for reading a few of them."""
    from huggingface_hub import hf_hub_url  # noqa: PLC0415 - as above

    url = hf_hub_url(
        name.repo, name.path, repo_type=name.repo_type, revision=name.revision, endpoint=access.hugging_face
    )
    token = access.hugging_face_token.reveal()
    return WebSource(lambda: url, {"Authorization": f"Bearer {token}"} if token else {})


def fetch_file(
    name: HuggingFaceName, file: RepoFile, folder: Path, access: Access, *, on_progress: OnProgress | None
) -> Path:
    """Fetch one file into `folder` with huggingface_hub, resume what an earlier call left there, and verify it.

    `name.revision` is a commit. Raises HashMismatchError, StoreDiskFullError or what the host says.
    """
    with own_errors(name, access):
        path = _api(access).hf_hub_download(
            name.repo,
            file.path,
            repo_type=name.repo_type,
            revision=name.revision,
            local_dir=folder,
            etag_timeout=SECONDS,
            tqdm_class=_reporter(on_progress, file.size),
        )
    got = Path(path)
    expected, is_now = (file.sha256, _sha256(got)) if file.sha256 else (file.blob_id, _git_hash(got))
    if expected and expected != is_now:
        got.unlink()
        what = f"{got.name} arrived damaged: its hash is {is_now}, Hugging Face says {expected}"
        raise HashMismatchError(what, where=name.shown, todo="try again; a proxy in between may have changed it")
    return got


def fetch_files(
    name: HuggingFaceName,
    files: Sequence[RepoFile],
    folder: Path,
    access: Access,
    *,
    on_progress: OnProgress | None,
) -> Path:
    """Fetch several files into `folder`, keeping their paths, one after the other (each is parallel in itself)."""
    total = sum(file.size for file in files)
    before = 0
    for file in files:
        report = _from(before, total, on_progress)
        fetch_file(name, file, folder, access, on_progress=report)
        before += file.size
    return folder


def _from(before: int, total: int, on_progress: OnProgress | None) -> OnProgress | None:
    return None if on_progress is None else lambda done, _: on_progress(before + done, total)


def cached_file(name: HuggingFaceName, path: str) -> Path | None:
    """Give a file that huggingface_hub's own cache on this machine has, or None. No network."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - as above

    found = try_to_load_from_cache(name.repo, path, revision=name.revision, repo_type=name.repo_type)
    return Path(found) if isinstance(found, str) else None


@contextmanager
def own_errors(name: HuggingFaceName, access: Access) -> Iterator[None]:
    """Turn what huggingface_hub and its HTTP library raise into errors of our own, without their long texts."""
    from huggingface_hub import errors  # noqa: PLC0415 - as above
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # noqa: PLC0415 - as above

    try:
        yield
    except errors.OfflineModeIsEnabled:
        what = "HF_HUB_OFFLINE is set, so Hugging Face may not be asked"
        raise OfflineError(what, where=name.shown, todo="unset it") from None
    except errors.HfHubHTTPError as error:
        raise _refusal(error, name, access) from None
    except (errors.LocalEntryNotFoundError, errors.FileMetadataError) as error:
        cause = error.__cause__
        if isinstance(cause, errors.HfHubHTTPError):
            raise _refusal(cause, name, access) from None
        raise _unreachable(cause or error, access) from None
    except httpx.HTTPError as error:
        raise _unreachable(error, access) from None


def _unreachable(error: BaseException, access: Access) -> BaseModelError:
    from huggingface_hub.errors import FileMetadataError  # noqa: PLC0415 - as above

    if isinstance(error, FileMetadataError):
        return _strange(access)
    if "certificate" in str(error).lower() or "ssl" in str(error).lower():
        return tls_error(access.hugging_face, str(error))
    return no_network(access.hugging_face)


def _strange(access: Access) -> ServerError:
    todo = "check HF_ENDPOINT and the proxy, or try again later"
    return ServerError("Hugging Face's answer is not one of its own", where=access.hugging_face, todo=todo)


def _refusal(error: "HfHubHTTPError", name: HuggingFaceName, access: Access) -> BaseModelError:
    from huggingface_hub import errors  # noqa: PLC0415 - as above

    where = name.shown
    if isinstance(error, errors.GatedRepoError):
        todo = f"open huggingface.co/{name.repo} in a browser, accept the terms, {WHERE_TOKENS_ARE_MADE}"
        return GatedRepositoryError(f"{name.repo} is gated: its terms must be accepted first", where=where, todo=todo)
    if isinstance(error, errors.DisabledRepoError):
        return AccessDeniedError(f"{name.repo} was disabled by Hugging Face", where=where, todo="give another model")
    if isinstance(error, errors.RevisionNotFoundError):
        what = f"{name.repo} has no revision {name.revision}"
        return NotFoundError(what, where=where, todo="give a branch, tag or commit that it has")
    if isinstance(error, errors.EntryNotFoundError):
        return NotFoundError(f"{name.repo} has no {name.path}", where=where, todo="look at its list of files")
    return _by_status(error, name, access)


def _by_status(error: "HfHubHTTPError", name: HuggingFaceName, access: Access) -> BaseModelError:
    from huggingface_hub import errors  # noqa: PLC0415 - as above

    status = error.response.status_code
    retry_after = error.response.headers.get("Retry-After", "")
    if shared := shared_error(status, access.hugging_face, retry_after=retry_after):
        return shared
    if status == 401 and error.response.headers.get("X-Error-Message", "").startswith("Invalid credentials"):
        todo = f"{WHERE_TOKENS_ARE_MADE}, or remove the one that is set"
        return TokenRefusedError("Hugging Face does not accept the token that was sent", where=name.shown, todo=todo)
    if isinstance(error, errors.RepositoryNotFoundError) or status == 404:
        private = "the token that is set may not see it" if access.hugging_face_token else WHERE_TOKENS_ARE_MADE
        what = f"Hugging Face knows no {name.repo}, or it is private"
        return NotFoundError(what, where=name.shown, todo=f"check the name; for a private one: {private}")
    if status == 401:
        return LoginNeededError(f"{name.repo} needs a login", where=name.shown, todo=WHERE_TOKENS_ARE_MADE)
    if status == 403:
        return AccessDeniedError(f"Hugging Face refuses {name.repo}", where=name.shown, todo=WHERE_TOKENS_ARE_MADE)
    return ServerError(f"Hugging Face answers {status}", where=name.shown, todo="try again later")


def _api(access: Access) -> "HfApi":
    from huggingface_hub import HfApi  # noqa: PLC0415 - as above

    token = access.hugging_face_token.reveal() or False  # not None: it must not look for a token of its own
    return HfApi(endpoint=access.hugging_face, token=token, library_name="kohya-wrap", library_version=__version__)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _git_hash(path: Path) -> str:
    """Give git's blob hash: what the ETag of a small file is."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _reporter(on_progress: OnProgress | None, size: int) -> type:
    """Make a class that huggingface_hub takes for its bar, and that shows nothing and reports instead."""
    bar: Any = import_module("huggingface_hub.utils").tqdm  # it has types in some versions only

    class Reporter(bar):  # type: ignore[misc]
        done = 0

        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})
            self.done = int(str(kwargs.get("initial") or 0))

        def update(self, n: float | None = 1) -> bool | None:
            self.done += int(n or 0)
            if on_progress is not None:
                on_progress(self.done, size)
            return None

    return Reporter
