"""Bring what a host offers into the store; the only place that knows both hosts and store."""

import errno
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from kohya_wrap.base_models.access import Access
from kohya_wrap.base_models.downloader import DownloadRequest, download
from kohya_wrap.base_models.errors import NotAModelError, StoreDiskFullError
from kohya_wrap.base_models.folders import add_folder
from kohya_wrap.base_models.header import looks_like, read_header
from kohya_wrap.base_models.hosts.host import HubSource, Link, OnProgress, Resolved, WebSource
from kohya_wrap.base_models.store import Store
from kohya_wrap.files import sha256_file
from kohya_wrap.paths import CachePaths


def fetch(link: Link, resolved: Resolved, access: Access, *, on_progress: OnProgress | None = None) -> Path:
    """Fetch what `resolved` chose and give its path in the store; what is there already is not fetched again.

    Two processes that want the same file wait for each other. Raises a BaseModelError.
    """
    with _disk_full_is_said(access.cache):
        if resolved.chosen.format == "diffusers":
            return _fetch_folder(link, resolved, access, on_progress)
        return _fetch_file(link, resolved, access, on_progress)


def about(resolved: Resolved) -> dict[str, str]:
    """Say where a file came from, for its side file."""
    said = {
        "source": resolved.source,
        "pinned": resolved.pinned_link,
        "name": resolved.name,
        "version": resolved.version,
        "base": resolved.base,
        "host": resolved.host,
    }
    return {key: value for key, value in said.items() if value}


def _fetch_file(link: Link, resolved: Resolved, access: Access, on_progress: OnProgress | None) -> Path:
    store, chosen = Store(access.cache), resolved.chosen
    key = chosen.sha256 or hashlib.sha256((resolved.key or resolved.direct).encode()).hexdigest()[:24]
    with store.fetching(key) as folder:
        if found := store.find(chosen.sha256):
            return found
        source = link.source(resolved, access)
        if isinstance(source, WebSource):
            target, digest = _download(source, resolved, folder, access, on_progress)
        else:
            target, digest = _from_hub(source, folder, on_progress), chosen.sha256
        name = true_name(target, chosen.name)
        return store.adopt(target, name=name, about=about(resolved), sha256=digest)


def _download(
    source: WebSource, resolved: Resolved, folder: Path, access: Access, on_progress: OnProgress | None
) -> tuple[Path, str]:
    chosen = resolved.chosen
    target = folder / "file"
    if target.is_file() and not chosen.sha256:  # whole: an earlier process ended between here and the store
        return target, sha256_file(target)
    request = DownloadRequest(
        url=source.address(),
        headers=source.headers,
        sha256=chosen.sha256,
        size=chosen.size if chosen.size_is_exact else 0,
        filename=chosen.name,
        refresh=source.address,
    )
    got = download(request, target, on_progress=on_progress, patience=access.patience)
    return target, got.sha256


def _from_hub(source: HubSource, folder: Path, on_progress: OnProgress | None) -> Path:
    return source.fetch(folder, on_progress)


def _fetch_folder(link: Link, resolved: Resolved, access: Access, on_progress: OnProgress | None) -> Path:
    source = link.source(resolved, access)
    if not isinstance(source, HubSource):
        raise TypeError(f"{resolved.host} offers folders only through huggingface_hub")
    name = f"{resolved.name}@{resolved.version}"
    return add_folder(name, about(resolved), lambda staging: source.fetch(staging, on_progress), access.cache)


def true_name(path: Path, name: str) -> str:
    """Give the name with the ending that the content has: .safetensors, or .ckpt for a pickle.

    Raises NotAModelError, and removes the file, for what is neither: HTML, JSON, a cut file.
    """
    with path.open("rb") as file:
        first = file.read(64)
    bare = PurePosixPath(name)
    stem = bare.stem if bare.suffix.lower() in {".safetensors", ".ckpt", ".pt", ".pth", ".bin"} else name
    if "pickle" in looks_like(first):
        return f"{stem}.ckpt"
    try:
        read_header(path)
    except NotAModelError as error:
        path.unlink()
        raise NotAModelError(f"{name}: {error.what}", todo="open the link in a browser; it may need a login") from None
    return f"{stem}.safetensors"


@contextmanager
def _disk_full_is_said(cache: CachePaths) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        free = shutil.disk_usage(cache.home).free
        todo = "free some space, or set KOHYA_WRAP_HOME to a larger disk; what is there is kept and gone on from"
        what = f"the disk of the store is full ({free / 1e9:.1f} GB free)"
        raise StoreDiskFullError(what, where=str(cache.models), todo=todo) from None
