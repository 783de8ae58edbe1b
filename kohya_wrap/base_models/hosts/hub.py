"""The only door to huggingface_hub: what is in a repository, and getting a file of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kohya_wrap._version import __version__
from kohya_wrap.base_models.access import Access
from kohya_wrap.base_models.errors import HashMismatchError
from kohya_wrap.base_models.hosts.host import OnProgress, WebSource
from kohya_wrap.base_models.hosts.hub_errors import own_errors, strange
from kohya_wrap.base_models.hosts.hugging_face_link import HuggingFaceName

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SECONDS = 30.0


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
            files = tuple(filter(_is_inside, map(_file_of, getattr(info, "siblings", None) or ())))
            commit = _text(info.sha)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):  # JSON of another shape, or none
            raise strange(access) from None
    from huggingface_hub import CardData  # noqa: PLC0415 - slow to import, and most commands never ask a host

    card = getattr(info, "card_data", None)
    licence = str(card.get("license") or "") if isinstance(card, CardData) else ""
    return Repo(name, commit, files, bool(getattr(info, "gated", False)), licence)


def _file_of(sibling: Any) -> RepoFile:
    """Read an entry of a repository's list. Raises TypeError for values of other types than the API's."""
    if not isinstance(sibling.size or 0, int):
        raise TypeError
    sha256 = _text(sibling.lfs.sha256) if sibling.lfs else ""
    return RepoFile(_text(sibling.rfilename), sibling.size or 0, sha256, _text(sibling.blob_id))


def _text(value: object) -> str:
    if not isinstance(value or "", str):
        raise TypeError
    return str(value or "")


def _is_inside(file: RepoFile) -> bool:
    return ".." not in PurePosixPath(file.path).parts and not file.path.startswith("/")


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
