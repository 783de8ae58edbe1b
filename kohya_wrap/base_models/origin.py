"""Where a model of the store came from."""

from pathlib import Path

from kohya_wrap.base_models.folders import fetched_folders
from kohya_wrap.base_models.store import Store
from kohya_wrap.paths import CachePaths


def pinned_link(path: Path, cache: CachePaths) -> str:
    """Give a link to exactly what lies at `path`, version or commit included; empty for what was not fetched."""
    files = ((entry.path, entry.about) for entry in Store(cache).entries())
    folders = ((folder.path, folder.about) for folder in fetched_folders(cache))
    return next((about.get("pinned", "") for at, about in (*files, *folders) if at == path), "")
