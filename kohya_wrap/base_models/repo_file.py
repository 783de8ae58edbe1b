"""One file of a repository of Hugging Face, fetched once for all projects: taggers and captioners.

repositories/<user>_<name>/FILE      at the revision that was asked for first; remove the folder to ask again
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from kohya_wrap.base_models.access import Access
from kohya_wrap.base_models.errors import LinkError, OfflineError
from kohya_wrap.base_models.hosts.host import OnProgress
from kohya_wrap.base_models.hosts.hub import ask_file, cached_file, fetch_file
from kohya_wrap.base_models.hosts.hugging_face_link import HuggingFaceName, read_hugging_face
from kohya_wrap.errors import BaseModelError
from kohya_wrap.paths import CachePaths


def obtain_repo_file(
    repo: str,
    file: str,
    *,
    cache: CachePaths,
    say: Callable[[str], None] = lambda _: None,
    on_progress: OnProgress | None = None,
    offline: bool = False,
) -> Path:
    """Give a file of `user/name` or `user/name@revision`, verified; what is on this machine costs no request.

    huggingface_hub's own cache is used where it has the file. Raises a BaseModelError that says where to put it.
    """
    name, _, revision = repo.partition("@")
    read = read_hugging_face(name)
    if read is None or not file:
        raise LinkError("is no repository of Hugging Face", where=repo, todo="give user/name or user/name@revision")
    at = HuggingFaceName(read.repo, revision or "main", file, is_file=True)
    home = cache.home / "repositories" / repo.replace("/", "_")
    if (home / file).is_file():
        return home / file
    if found := cached_file(at, file):
        return found
    if offline:
        what = f"{file} of {read.repo} is not on this machine, and may not be fetched without the network"
        raise OfflineError(what, where=repo, todo=f"run once without --offline, or put it into {home}")
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".lock"):
        return (
            home / file
            if (home / file).is_file()
            else _fetch(at, home, Access.from_environment(cache), say, on_progress)
        )


def _fetch(
    at: HuggingFaceName, home: Path, access: Access, say: Callable[[str], None], on_progress: OnProgress | None
) -> Path:
    say(f"fetching {at.path} of {at.repo}")
    try:
        asked, commit = ask_file(at, access)
        pinned = HuggingFaceName(at.repo, commit, at.path, at.repo_type, is_file=True)
        got = fetch_file(pinned, asked, home / ".part", access, on_progress=on_progress)
    except BaseModelError as error:
        todo = f"or put {at.path} of {at.repo} into {home}"
        raise type(error)(error.what, where=error.where, todo=f"{error.todo}; {todo}" if error.todo else todo) from None
    target = home / at.path
    target.parent.mkdir(parents=True, exist_ok=True)
    got.replace(target)
    shutil.rmtree(home / ".part", ignore_errors=True)
    return target
