"""Find out where a base model is, without the network."""

import dataclasses
from pathlib import Path

from kohya_wrap.base_models.errors import HashMismatchError
from kohya_wrap.base_models.folders import find_folder
from kohya_wrap.base_models.hosts import read_link
from kohya_wrap.base_models.hosts.host import Link
from kohya_wrap.base_models.local import is_pickle, local_path, look_at
from kohya_wrap.base_models.located import Located, PlannedDownload, Wanted
from kohya_wrap.base_models.named import NAMED, TINY_RANDOM, TINY_RANDOM_FOLDER
from kohya_wrap.base_models.picture import is_picture, model_hash
from kohya_wrap.base_models.store import Store
from kohya_wrap.base_models.types import BaseModelFile
from kohya_wrap.config import SetupConfig
from kohya_wrap.errors import BaseModelError
from kohya_wrap.paths import CachePaths

URL_FIELD = "setup.optional_custom_training_model_url"


def locate(setup: SetupConfig, *, root: Path, cache: CachePaths) -> Located:
    """Say where the preset's base model is; problems are in the answer, not raised. No network; no model is touched.

    `root`: what relative paths start at. A pinned hash makes a local file be read once; it is remembered.
    """
    if not setup.optional_custom_training_model_url and setup.training_model == TINY_RANDOM:
        return _tiny_random(setup, cache)
    text = setup.optional_custom_training_model_url or NAMED[setup.training_model].link
    return locate_text(text, _wanted(setup), root=root, cache=cache)


def locate_vae(setup: SetupConfig, *, root: Path, cache: CachePaths) -> Located | None:
    """Say where the preset's separate VAE is, or None when it has none."""
    if not setup.vae:
        return None
    wanted = Wanted("VAE", "setup.vae", setup.family, allow_pickle=setup.allow_pickle)
    return locate_text(setup.vae, wanted, root=root, cache=cache)


def locate_text(text: str, wanted: Wanted, *, root: Path, cache: CachePaths) -> Located:
    """Say where the model is that `text` (a path, a picture or a link) names."""
    try:
        path = local_path(text, root)
        if path is None:
            return _behind_link(read_link(text), wanted, cache)
        if is_picture(path):
            located = _behind_link(read_link(model_hash(path)), wanted, cache)
            return dataclasses.replace(located, source=f"{text} ({located.source})")
        return _at(path, text, wanted, cache)
    except BaseModelError as error:
        problems = [dataclasses.replace(problem, where=problem.where or wanted.field) for problem in error.problems]
        error.problems = tuple(problems)
        return Located(public_source(text), wanted, failure=error)


def public_source(text: str) -> str:
    """Give a link, path or name as it may be shown and recorded: a token in it is left out."""
    try:
        return text if local_path(text, Path.cwd()) else read_link(text).shown
    except BaseModelError:
        return text if "://" not in text else text.partition("?")[0].rpartition("@")[2]


def _behind_link(link: Link, wanted: Wanted, cache: CachePaths) -> Located:
    if wanted.sha256 and link.sha256 and wanted.sha256 != link.sha256:
        what = f"the link says {link.sha256}, and {wanted.sha256} is pinned"
        raise HashMismatchError(what, where=wanted.field, todo="remove one of the two")
    sha256 = wanted.sha256 or link.sha256
    here = find_here(link, sha256, cache)
    if here is None:
        size = next((named.size for named in NAMED.values() if sha256 and named.sha256 == sha256), 0)
        plan = PlannedDownload(link.name, link.shown, size, sha256)
        return Located(link.shown, wanted, link=link, download=plan)
    if is_pickle(here):
        return Located(link.shown, wanted, link=link, pickle=here)
    file = look_at(here, wanted, source=link.shown)
    return Located(link.shown, wanted, file=in_store(file), link=link)


def find_here(link: Link, sha256: str, cache: CachePaths) -> Path | None:
    """Give what was fetched from `link` before, by hash or else by the link itself; what a .ckpt became counts."""
    store = Store(cache)
    if sha256:
        became = (entry.path for entry in store.entries() if entry.about.get("converted_from") == sha256)
        return store.find(sha256) or next(became, None)
    if start := link.sha256_start:
        return next((entry.path for entry in store.entries() if entry.sha256.startswith(start)), None)
    links = {link.shown} if link.is_exact else set()
    fitting = [
        entry.path for entry in store.entries() if links & {entry.about.get("source"), entry.about.get("pinned")}
    ]
    return next(iter(fitting), None) or (find_folder(link.shown, cache) if link.is_exact else None)


def in_store(file: BaseModelFile) -> BaseModelFile:
    """Give a file of the store its hash: the name of its folder."""
    return file if file.format == "diffusers" else dataclasses.replace(file, sha256=file.path.parent.name)


def _at(path: Path, text: str, wanted: Wanted, cache: CachePaths) -> Located:
    if is_pickle(path) and wanted.allow_pickle and path.is_file():
        return Located(text, wanted, pickle=path)
    return Located(text, wanted, file=_checked(look_at(path, wanted, source=text), wanted, cache))


def _checked(file: BaseModelFile, wanted: Wanted, cache: CachePaths) -> BaseModelFile:
    if not wanted.sha256:
        return file
    if file.format == "diffusers":
        what = "a hash is given, but the base model is a folder, which has none"
        raise HashMismatchError(what, where="setup.base_model_sha256", todo="remove the hash, or give a file")
    digest = Store(cache).remembered_sha256(file.path)
    if digest != wanted.sha256:
        raise wrong_file(file.path.name, is_now=digest, expected=wanted.sha256)
    return dataclasses.replace(file, sha256=digest)


def wrong_file(name: str, *, is_now: str, expected: str) -> HashMismatchError:
    """Build the error for a file that is not the pinned one."""
    return HashMismatchError(
        f"{name} is not the file that was asked for: its SHA256 is {is_now}, expected {expected}",
        where="setup.base_model_sha256",
        todo="give the right file, or the right hash if this file is the one you mean",
    )


def _wanted(setup: SetupConfig) -> Wanted:
    given = bool(setup.optional_custom_training_model_url)
    return Wanted(
        role="base model",
        field=URL_FIELD if given else "setup.training_model",
        family=setup.family,
        sha256=setup.base_model_sha256 or ("" if given else NAMED[setup.training_model].sha256),
        allow_pickle=setup.allow_pickle,
    )


def _tiny_random(setup: SetupConfig, cache: CachePaths) -> Located:
    path = cache.models / TINY_RANDOM_FOLDER
    file = BaseModelFile(path, "diffusers", "sd15", 0, source=TINY_RANDOM, builtin=True)
    wanted = Wanted("base model", "setup.training_model", "sd15")
    return Located(TINY_RANDOM, wanted, file=file)
