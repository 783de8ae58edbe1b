"""Does the steps of [dataset] that a preset asks for and that were not done for these pictures yet."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kohya_wrap import dataset
from kohya_wrap.base_models.downloader import DownloadRequest, download
from kohya_wrap.base_models.errors import OfflineError
from kohya_wrap.base_models.repo_file import obtain_repo_file
from kohya_wrap.config import TrainConfig
from kohya_wrap.dataset.captioning import model_files
from kohya_wrap.dataset.captions import caption_of
from kohya_wrap.dataset.history import DatasetPlace, open_step, place_of
from kohya_wrap.dataset.types import PreparedDataset, RemotePicture
from kohya_wrap.dataset.verbs.add import add
from kohya_wrap.dataset.verbs.caption import CaptionOptions, caption
from kohya_wrap.dataset.verbs.curate import curate
from kohya_wrap.dataset.verbs.expand.run import expand
from kohya_wrap.dataset.verbs.tag import tag
from kohya_wrap.dataset.wanted import Done, Unpack, Wanted, curate_options, expand_options, rewrites, tag_options
from kohya_wrap.engines import get_engine
from kohya_wrap.engines.captioning.blip import BlipCaptioner
from kohya_wrap.files import output_error
from kohya_wrap.paths import CachePaths, ProjectPaths


@dataclass(frozen=True, slots=True)
class Steps:
    """Where the steps work, and whom they tell. `on_progress`: done and total, in bytes or pictures."""

    config: TrainConfig
    project: ProjectPaths
    cache: CachePaths
    say: Callable[[str], None]
    on_progress: Callable[[int, int], None]
    offline: bool = False

    @property
    def place(self) -> DatasetPlace:
        """The dataset as the verbs know it."""
        return DatasetPlace(self.project.dataset, self.project.history)

    def fetch(self, repo: str, file: str) -> Path:
        """Give a file of a repository of Hugging Face. Raises a BaseModelError."""
        return obtain_repo_file(
            repo, file, cache=self.cache, say=self.say, on_progress=self.on_progress, offline=self.offline
        )


def do_steps(wanted: Wanted, prepared: PreparedDataset, steps: Steps) -> None:
    """Copy and fetch pictures, caption or tag those without a caption, expand, curate; each a step that can be undone.

    Raises DatasetError, OutputError, DiskFullError, ProjectBusyError, and a BaseModelError where something cannot be
    fetched.
    """
    dataset.materialise(prepared)
    if wanted.archive:
        _unpack(wanted.archive, steps)
    if wanted.links:
        _fetch(wanted.links, steps)
    if wanted.caption:
        _caption(frozenset(wanted.caption), steps)
    if wanted.tag:
        _tag(frozenset(wanted.tag), steps)
    if wanted.expand:
        _expand(wanted.expand, steps)
    if wanted.curate or (wanted.expand and rewrites(steps.config)):
        _curate(steps)


def _unpack(archive: Unpack, steps: Steps) -> None:
    steps.say(f"Unpacking {archive.file}")
    place = (
        steps.place if archive.folder == steps.project.dataset else place_of(str(archive.folder), root=archive.folder)
    )
    done = add(place, [str(archive.file)], fetch=_no_network)
    Done.read(steps.project).add("unpack", archive, [archive.file])
    steps.say(f"{sum(done.step.counts.values())} files unpacked into {archive.folder}")


def _no_network(url: str, sha256: str, target: Path) -> None:
    raise AssertionError(url)  # an archive on the disk asks for none


def _fetch(links: tuple[RemotePicture, ...], steps: Steps) -> None:
    folder = steps.project.history
    try:
        folder.mkdir(parents=True, exist_ok=True)
        steps.project.dataset.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetched-") as place:
            files = [_fetch_one(link, Path(place), steps) for link in links]
            with open_step(steps.place, "add", {"urls": [link.url for link in links]}) as step:
                for link, file in zip(links, files, strict=True):
                    step.add(file, link.target)
    except OSError as error:
        raise output_error(error, folder) from error


def _fetch_one(link: RemotePicture, folder: Path, steps: Steps) -> Path:
    if steps.offline:
        todo = f"put the picture into {link.target.parent}, or run once without --offline"
        raise OfflineError("is to be fetched, and may not be without the network", where=link.url, todo=todo)
    steps.say(f"Fetching {link.url}")
    target = folder / link.target.name
    download(DownloadRequest(link.url, sha256=link.sha256), target, on_progress=steps.on_progress)
    return target


def _caption(names: frozenset[str], steps: Steps) -> None:
    model = steps.config.dataset.captioner

    files = model_files(model, steps.fetch)
    engine = get_engine(steps.config.engine, steps.cache)
    status = engine.status()
    if status.missing and not steps.offline:
        status = engine.setup(steps.say)
    steps.say(f"Writing a sentence for {len(names)} pictures by {model}")
    options = CaptionOptions(model, there="keep", caption_extension=steps.config.processing.caption_extension)
    captioner = BlipCaptioner(status.python, model, files)
    done = caption(steps.place, options, captioner=captioner, only=names)
    steps.say(f"{len(done.captions)} pictures captioned on {done.device}")


def _tag(names: frozenset[str], steps: Steps) -> None:
    options = tag_options(steps.config)

    steps.say(f"Tagging {len(names)} pictures by {options.tagger}")
    done = tag(steps.place, options, fetch=steps.fetch, only=names)
    ran = ", ".join(f"{name} on {provider}" for name, provider in done.providers.items())
    steps.say(f"{done.pictures} pictures tagged ({ran}); most frequent: {', '.join(tag for tag, _ in done.top[:8])}")


def _expand(names: tuple[str, ...], steps: Steps) -> None:
    options = expand_options(steps.config)
    done = expand(steps.place, replace(options, pictures=names))
    originals = [source.path for source in done.sources]
    Done.read(steps.project).add("expand", options, originals)
    made = done.step.counts.get("created", 0)
    crop = f"; the proposed crop is shown in {done.preview}" if done.preview else ""
    steps.say(f"{made} pictures and captions made of {len(originals)}{crop}")


def _curate(steps: Steps) -> None:
    options = curate_options(steps.config)
    known = Done.read(steps.project)
    pictures = steps.place.pictures()
    names = known.lacks("curate", options, pictures)
    captions = frozenset(caption_of(Path(name), options.caption_extension).name for name in names)
    done = curate(steps.place, options, only=captions)
    known.add("curate", options, pictures)
    steps.say(f"{sum(done.step.counts.values())} of {len(names)} captions curated")
