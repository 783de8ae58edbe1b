"""What `kohya-wrap model …` does: resolve any link, get it, find it again, list, verify and remove what is there."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.base_models.access import Access
from kohya_wrap.base_models.errors import HashMismatchError, LinkError, NotFoundError
from kohya_wrap.base_models.fetch import fetch
from kohya_wrap.base_models.folders import Folder, content_hash, fetched_folders, remove_folder
from kohya_wrap.base_models.hosts import read_link
from kohya_wrap.base_models.hosts.host import Choice, Link, OnProgress, Resolved
from kohya_wrap.base_models.identify import Identity, identify
from kohya_wrap.base_models.local import is_pickle, local_path
from kohya_wrap.base_models.locate import find_here
from kohya_wrap.base_models.named import NAMED
from kohya_wrap.base_models.peek import with_first_bytes
from kohya_wrap.base_models.picture import is_picture, model_hash
from kohya_wrap.base_models.store import Store
from kohya_wrap.errors import BaseModelError
from kohya_wrap.paths import CachePaths


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing of the store. `sha256` is empty for a folder. `what`: family or kind, or why it cannot be read."""

    name: str
    path: Path
    size: int
    sha256: str
    what: str
    precision: str
    source: str
    pinned: str


def link_of(text: str, *, root: Path) -> Link:
    """Understand a link, a name of setup.training_model, or a picture. Raises LinkError for a local model."""
    if text in NAMED:
        return read_link(NAMED[text].link)
    path = local_path(text, root)
    if path is None:
        return read_link(text)
    if is_picture(path):
        return read_link(model_hash(path))
    todo = "give a link; a local file can be named in a preset as it is"
    raise LinkError("this is a file or folder on this machine, or names one", where=str(path), todo=todo)


def resolve_link(text: str, *, root: Path, cache: CachePaths, choice: Choice) -> Resolved:
    """Ask what is behind a link, with permissions and whether a login is needed. Nothing is fetched but a header."""
    link, access = link_of(text, root=root), Access.from_environment(cache)
    resolved = link.resolve(access, dataclasses.replace(choice, details=True))
    if resolved.family != "unknown" or resolved.base:
        return resolved
    try:
        return with_first_bytes(link, resolved, access)
    except BaseModelError:
        if resolved.chosen.size:  # the host itself has answered: that is something to show
            return resolved
        raise


def look_at_local(text: str, *, root: Path, cache: CachePaths) -> Kept | None:
    """Say what a local file or folder is, with its hash, or None when `text` is a link or a picture."""
    path = None if text in NAMED else local_path(text, root)
    if path is None or is_picture(path):
        return None
    if not path.exists():
        raise NotFoundError("there is no such file or folder", where=str(path), todo="check the path, or give a link")
    size = path.stat().st_size if path.is_file() else Folder(path, {}).size
    sha256 = Store(cache).remembered_sha256(path) if path.is_file() else ""
    return _kept(path, size, sha256, {})


def get_link(
    text: str,
    *,
    root: Path,
    cache: CachePaths,
    choice: Choice,
    say: Callable[[str], None],
    on_progress: OnProgress | None = None,
) -> Kept:
    """Fetch what is behind a link into the store, whatever it is; a pickle is kept as it is, and never loaded."""
    link, access = link_of(text, root=root), Access.from_environment(cache)
    resolved = link.resolve(access, choice)
    for note in resolved.notes:
        say(note)
    if resolved.blocked is not None:
        raise resolved.blocked
    path = fetch(link, resolved, access, on_progress=on_progress)
    return next(kept for kept in list_kept(cache) if kept.path == path)


def list_kept(cache: CachePaths) -> tuple[Kept, ...]:
    """List all files and folders of the store; headers are read, nothing more."""
    files = [_kept(e.path, e.size, e.sha256, e.about) for e in Store(cache).entries()]
    folders = [_kept(folder.path, folder.size, "", folder.about) for folder in fetched_folders(cache)]
    return (*files, *folders)


def find_kept(text: str, *, root: Path, cache: CachePaths) -> Kept:
    """Find one thing of the store by name, by the beginning of its hash, or by link. Raises NotFoundError."""
    kept = list_kept(cache)
    fitting = [k for k in kept if text in {k.name, k.source, k.pinned}]
    fitting = fitting or [k for k in kept if len(text) >= 6 and k.sha256.startswith(text.lower())]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and (path := _behind(text, root, cache)):
        return next(k for k in kept if k.path == path)
    what = f"{len(fitting)} models are called so" if fitting else "no such model in the store"
    raise NotFoundError(what, where=text, todo="`kohya-wrap model list` shows what is there")


def verify_kept(cache: CachePaths, say: Callable[[str], None]) -> int:
    """Read everything again; give how many models there are. Raises HashMismatchError that names the damaged ones."""
    store, folders = Store(cache), fetched_folders(cache)
    damaged = [f"{entry.path.name} ({entry.sha256[:12]})" for entry in store.verify(say)]
    for folder in folders:
        say(folder.path.name)
        if content_hash(folder.path) != folder.about.get("content"):
            damaged.append(folder.path.name)
    if damaged:
        names = ", ".join(damaged)
        todo = "remove them with `kohya-wrap model remove`, and fetch them again"
        raise HashMismatchError(f"no longer what was fetched: {names}", where=str(cache.models), todo=todo)
    return len(store.entries()) + len(folders)


def remove_kept(kept: Kept, cache: CachePaths) -> None:
    """Remove one thing from the store."""
    if kept.sha256:
        Store(cache).remove(kept.sha256)
    else:
        remove_folder(Folder(kept.path, {}))


def describe_file(path: Path) -> Identity | None:
    """Identify a file or folder, or give None when it is damaged or a pickle."""
    if is_pickle(path):
        return None
    try:
        return identify(path)
    except BaseModelError:
        return None


def _behind(text: str, root: Path, cache: CachePaths) -> Path | None:
    try:
        link = link_of(text, root=root)
    except BaseModelError:
        return None
    return find_here(link, link.sha256, cache)


def _kept(path: Path, size: int, sha256: str, about: Mapping[str, str]) -> Kept:
    identity = describe_file(path)
    what = str(identity) if identity else ("a pickle" if is_pickle(path) else "damaged")
    return Kept(
        name=path.name,
        path=path,
        size=size,
        sha256=sha256,
        what=what,
        precision=identity.precision if identity else "",
        source=about.get("source", ""),
        pinned=about.get("pinned", ""),
    )
