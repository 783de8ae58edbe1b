"""Make a located base model ready on this machine: fetch it if it must be, verify it, say what it is."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from kohya_wrap.base_models.access import Access
from kohya_wrap.base_models.choose import describe
from kohya_wrap.base_models.convert import convert
from kohya_wrap.base_models.errors import NotAModelError, OfflineError
from kohya_wrap.base_models.fetch import fetch
from kohya_wrap.base_models.hosts.host import Choice, Link, OnProgress
from kohya_wrap.base_models.local import is_pickle, look_at
from kohya_wrap.base_models.locate import in_store, wrong_file
from kohya_wrap.base_models.located import Located
from kohya_wrap.base_models.store import Store
from kohya_wrap.base_models.suitable import check_promise, refuse_pickle
from kohya_wrap.base_models.types import BaseModelFile
from kohya_wrap.paths import CachePaths

Say = Callable[[str], None]


def obtain(
    located: Located,
    *,
    cache: CachePaths,
    say: Say,
    on_progress: OnProgress | None = None,
    offline: bool = False,
    python: Path | None = None,
) -> BaseModelFile:
    """Give the file of `located`, hashed and verified; raises the BaseModelError that says why it cannot be had.

    `python`: of the engine's environment, for a .ckpt that may be converted. `say` gets whole sentences.
    """
    if located.failure is not None:
        raise located.failure
    if located.file is not None:
        if located.link is not None and not (located.wanted.sha256 or located.link.sha256_start):
            say(
                f"{located.file.path.name} was fetched from this link before and is used; `presets pin` makes that sure"
            )
        return _hashed(located.file, cache)
    path = located.pickle
    if path is None:
        if located.link is None:
            raise NotAModelError("there is nothing to fetch", where=located.wanted.field, todo="give a link or a file")
        if offline:
            raise _not_here(located)
        path = _fetch(located, located.link, Access.from_environment(cache), say, on_progress)
    if is_pickle(path):
        path = _converted(path, located, cache, say, python)
    file = look_at(path, located.wanted, source=located.source)
    return in_store(file)


def _fetch(located: Located, link: Link, access: Access, say: Say, on_progress: OnProgress | None) -> Path:
    wanted = located.wanted
    resolved = link.resolve(access, Choice(role=wanted.role))
    for note in resolved.notes:
        say(note)
    check_promise(resolved, wanted)
    if wanted.sha256 and not resolved.chosen.sha256:
        resolved = dataclasses.replace(resolved, chosen=dataclasses.replace(resolved.chosen, sha256=wanted.sha256))
    say(f"Fetching {describe(resolved.chosen)} from {resolved.host}")
    return fetch(link, resolved, access, on_progress=on_progress)


def _hashed(file: BaseModelFile, cache: CachePaths) -> BaseModelFile:
    if file.format == "diffusers" or file.sha256:
        return file
    return dataclasses.replace(file, sha256=Store(cache).remembered_sha256(file.path))


def _converted(pickle: Path, located: Located, cache: CachePaths, say: Say, python: Path | None) -> Path:
    """Convert a .ckpt, once: the store keeps what it became, and forgets a pickle that it fetched."""
    if not located.wanted.allow_pickle:
        raise refuse_pickle(pickle.name, located.wanted)
    store = Store(cache)
    digest = store.remembered_sha256(pickle)
    if located.wanted.sha256 not in {"", digest}:
        raise wrong_file(pickle.name, is_now=digest, expected=located.wanted.sha256)
    known = next((entry for entry in store.entries() if entry.about.get("converted_from") == digest), None)
    if known is not None:
        return known.path
    say(f"Converting {pickle.name} to safetensors in a separate process")
    about = {"source": located.source, "converted_from": digest, "name": pickle.stem}
    with store.fetching(f"converted-{digest}") as folder:
        target = folder / "converted"
        convert(pickle, target, python=python, name=pickle.name)
        path = store.adopt(target, name=f"{pickle.stem}.safetensors", about=about)
    store.remove(digest)
    return path


def _not_here(located: Located) -> OfflineError:
    name = located.download.name if located.download else located.source
    return OfflineError(
        f"{name} is not on this machine, and it may not be fetched without the network",
        where=located.wanted.field,
        todo=f"run once without --offline, or `kohya-wrap model get {located.source}`, or give a local file",
    )
