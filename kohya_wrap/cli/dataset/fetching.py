"""Files of models that verbs of `dataset` need: fetched into the store of base models, with a bar."""

from pathlib import Path

import typer

from kohya_wrap.base_models.downloader import DownloadRequest, download
from kohya_wrap.base_models.repo_file import obtain_repo_file
from kohya_wrap.cli.download_bar import download_bar
from kohya_wrap.paths import CachePaths


def fetch_repo_file(repo: str, file: str) -> Path:
    """Give a file of a repository of Hugging Face; a download is shown on stderr."""
    with download_bar() as show:
        return obtain_repo_file(
            repo,
            file,
            cache=CachePaths.from_environment(),
            say=lambda text: typer.echo(text, err=True),
            on_progress=show,
        )


def fetch_url(url: str, sha256: str, target: Path) -> None:
    """Fetch an address into a file, verified where `sha256` is given; shown on stderr."""
    with download_bar() as show:
        download(DownloadRequest(url=url, sha256=sha256), target, on_progress=show)
