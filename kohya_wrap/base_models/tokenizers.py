"""The tokenizer files that sd-scripts reads, fetched once, so that a run needs no network for them.

tokenizers/<user>_<name>/      one folder per tokenizer, named as sd-scripts looks for it in tokenizer_cache_dir
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from kohya_wrap.base_models.access import Access
from kohya_wrap.base_models.errors import OfflineError
from kohya_wrap.base_models.hosts.hub import ask_file, cached_file, fetch_file
from kohya_wrap.base_models.hosts.hugging_face_link import HuggingFaceName
from kohya_wrap.errors import BaseModelError
from kohya_wrap.families import Family
from kohya_wrap.paths import CachePaths

SOURCES = {
    "openai_clip-vit-large-patch14": HuggingFaceName("openai/clip-vit-large-patch14"),
    "laion_CLIP-ViT-bigG-14-laion2B-39B-b160k": HuggingFaceName("laion/CLIP-ViT-bigG-14-laion2B-39B-b160k"),
    "stabilityai_stable-diffusion-2": HuggingFaceName("stabilityai/stable-diffusion-2", path="tokenizer"),
}
"""Where each folder's files come from. Source: sd-scripts, library/strategy_sd.py and strategy_sdxl.py."""

FILES = ("vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json")


def find_tokenizers(family: Family, *, cache: CachePaths) -> Path | None:
    """Give the folder for tokenizer_cache_dir when all tokenizers of `family` are in it, else None."""
    home = cache.home / "tokenizers"
    return home if all(_is_whole(home / name) for name in family.tokenizers) else None


def obtain_tokenizers(family: Family, *, cache: CachePaths, say: Callable[[str], None], offline: bool = False) -> Path:
    """Give the folder for tokenizer_cache_dir, and fetch into it what is missing (1.5 MB each).

    huggingface_hub's own cache is used where it has the files. Raises a BaseModelError that says how to give them by
    hand.
    """
    home = cache.home / "tokenizers"
    home.mkdir(parents=True, exist_ok=True)
    for name in family.tokenizers:
        with FileLock(home / f".{name}.lock"):
            if not _is_whole(home / name):
                _fetch(name, home, Access.from_environment(cache), say, offline=offline)
    return home


def _is_whole(folder: Path) -> bool:
    return all((folder / file).is_file() for file in FILES)


def _fetch(name: str, home: Path, access: Access, say: Callable[[str], None], *, offline: bool) -> None:
    source, staging = SOURCES[name], home / f".{name}.part"
    staging.mkdir(exist_ok=True)
    say(f"Fetching the tokenizer {source.repo}")
    try:
        for file in FILES:
            shutil.copyfile(_one(source, file, staging, access, offline=offline), staging / file)
    except BaseModelError as error:
        todo = f"or put its {', '.join(FILES)} into {home / name}"
        raise type(error)(error.what, where=error.where, todo=f"{error.todo}; {todo}" if error.todo else todo) from None
    for entry in staging.iterdir():
        if entry.name not in FILES:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    shutil.rmtree(home / name, ignore_errors=True)
    staging.rename(home / name)


def _one(source: HuggingFaceName, file: str, staging: Path, access: Access, *, offline: bool) -> Path:
    path = f"{source.path}/{file}".lstrip("/")
    if cached := cached_file(source, path):
        return cached
    if offline:
        what = f"the tokenizer {source.repo} is not on this machine, and may not be fetched without the network"
        raise OfflineError(what, todo="run once without --offline")
    at = HuggingFaceName(source.repo, source.revision, path, source.repo_type, is_file=True)
    asked, commit = ask_file(at, access)
    pinned = HuggingFaceName(source.repo, commit, path, source.repo_type, is_file=True)
    return fetch_file(pinned, asked, staging / "fetched", access, on_progress=None)
