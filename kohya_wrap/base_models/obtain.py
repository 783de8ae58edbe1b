"""Make a located base model ready on this machine: fetch it if it must be, verify it, say what it is."""

import dataclasses
from collections.abc import Callable

from kohya_wrap.base_models.errors import OfflineError
from kohya_wrap.base_models.hash_memory import remembered_sha256
from kohya_wrap.base_models.located import Located
from kohya_wrap.base_models.types import BaseModelFile
from kohya_wrap.paths import CachePaths

Say = Callable[[str], None]


def obtain(
    located: Located,
    *,
    cache: CachePaths,
    say: Say,
    offline: bool = False,
) -> BaseModelFile:
    """Give the file of `located`, hashed and verified; raises the BaseModelError that says why it cannot be had."""
    if located.failure is not None:
        raise located.failure
    if located.file is not None:
        return _hashed(located.file, cache, say)
    raise OfflineError("not yet")


def _hashed(file: BaseModelFile, cache: CachePaths, say: Say) -> BaseModelFile:
    if file.format == "diffusers" or file.sha256:
        return file
    return dataclasses.replace(file, sha256=remembered_sha256(file.path, cache))
