"""Find out where a base model is, without the network."""

import dataclasses
from pathlib import Path

from kohya_wrap.base_models.errors import HashMismatchError
from kohya_wrap.base_models.hash_memory import remembered_sha256
from kohya_wrap.base_models.local import local_path, look_at
from kohya_wrap.base_models.located import Located, PlannedDownload, Wanted
from kohya_wrap.base_models.named import NAMED, TINY_RANDOM, TINY_RANDOM_FOLDER
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


def locate_text(text: str, wanted: Wanted, *, root: Path, cache: CachePaths) -> Located:
    """Say where the model is that `text` (a path or a link) names."""
    path = local_path(text, root)
    if path is None:
        return Located(text, wanted, download=PlannedDownload(Path(text).name, text, sha256=wanted.sha256))
    try:
        file = look_at(path, wanted, source=text)
        return Located(text, wanted, file=_checked(file, wanted, cache))
    except BaseModelError as error:
        return Located(text, wanted, failure=error)


def _checked(file: BaseModelFile, wanted: Wanted, cache: CachePaths) -> BaseModelFile:
    if not wanted.sha256:
        return file
    if file.format == "diffusers":
        what = "a hash is given, but the base model is a folder, which has none"
        raise HashMismatchError(what, where="setup.base_model_sha256", todo="remove the hash, or give a file")
    digest = remembered_sha256(file.path, cache)
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
        family="sd2" if setup.custom_model_is_based_on_sd2 else "sd15",
        sha256=setup.base_model_sha256 or ("" if given else NAMED[setup.training_model].sha256),
        allow_pickle=setup.allow_pickle,
    )


def _tiny_random(setup: SetupConfig, cache: CachePaths) -> Located:
    path = cache.models / TINY_RANDOM_FOLDER
    file = BaseModelFile(path, "diffusers", "sd15", 0, source=TINY_RANDOM, builtin=True)
    wanted = Wanted("base model", "setup.training_model", "sd15")
    return Located(TINY_RANDOM, wanted, file=file)
