"""scrape: pictures of a board by tags. Source: the Dataset Maker's "Scrape images from Gelbooru"."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from kohya_wrap.dataset.boorus import CAPTION_CATEGORIES, Post
from kohya_wrap.dataset.boorus.client import Client
from kohya_wrap.dataset.captions import with_dot
from kohya_wrap.dataset.folder import ENDINGS
from kohya_wrap.dataset.history import DatasetPlace, Step, open_step
from kohya_wrap.dataset.tag_text import join_tags
from kohya_wrap.dataset.taggers import written
from kohya_wrap.dataset.verbs.parallel import Report, in_threads, no_report
from kohya_wrap.dataset.verbs.reading import UNREADABLE, opened
from kohya_wrap.dataset.verbs.scrape_search import Choice, Found, ScrapeOptions
from kohya_wrap.errors import DatasetError, Problem
from kohya_wrap.files import output_error, write_whole

_IN_A_ROW = 10
"""So many pictures that fail one after another are the service's failure: it is not asked a thousand times more."""


@dataclass(frozen=True, slots=True)
class Scraped:
    """What was fetched. `there`: were there already. `failed`: others than these are in. `list`: of every picture."""

    step: Step
    pictures: int
    there: int
    failed: tuple[Problem, ...]
    list: Path


def scrape(place: DatasetPlace, found: Found, *, dry_run: bool = False, report: Report = no_report) -> Scraped:
    """Fetch what was found, verified by MD5; a second call goes on where the first one ended.

    The list of all pictures ever found is kept beside the history. A picture that cannot be fetched is named, and
    the others are. Pictures that were there get a caption where they have none.

    Raises DatasetError after ten failures in a row, OutputError, DiskFullError, ProjectBusyError.
    """
    options = found.options
    listed = place.history / "scrapes" / f"{options.site}-{_short(options.tags)}.jsonl"
    with open_step(place, "scrape", asdict(options), dry_run=dry_run) as step:
        wanted: list[Choice] = []
        there: list[Choice] = []
        for choice in found.choices:
            (there if _is_there(place.folder, choice) else wanted).append(choice)
        for choice in there:
            if not _caption_file(step, choice, options).is_file():
                _write_caption(step, choice, options)
        if dry_run:
            step.counts["created"] += len(wanted) * (2 if options.captions else 1)
            return Scraped(step, len(wanted), len(there), (), listed)
        _write_list(listed, options.site, wanted, there)
        failed = _fetch_all(step, wanted, found, report)
        return Scraped(step, len(wanted) - len(failed), len(there), tuple(failed), listed)


def _is_there(folder: Path, choice: Choice) -> bool:
    """Whether a picture was fetched before, whichever of its two files."""
    stem = PurePosixPath(choice.name).stem
    return any((folder / f"{stem}{ending}").is_file() for ending in ENDINGS)


def _fetch_all(step: Step, wanted: list[Choice], found: Found, report: Report) -> list[Problem]:
    """Put what was found into the dataset; give what could not be. Raises DatasetError."""
    failed, in_a_row = [], 0
    for old in step.place.history.glob(".scrape-*"):  # of one that was killed; the history is held by this step
        shutil.rmtree(old, ignore_errors=True)
    with _folder_beside(step.place.history) as folder:
        for choice, got in _fetched(wanted, found.client, Path(folder), report):
            if isinstance(got, Problem):
                failed.append(got)
                in_a_row += 1
                if in_a_row == _IN_A_ROW:
                    what = f"{in_a_row} pictures in a row were not fetched; {got.where}: {got.what}"
                    raise DatasetError(what, where=found.options.site, todo="run again later: it goes on")
                continue
            in_a_row = 0
            # The caption first: cut short between the two, the picture is fetched again.
            _write_caption(step, choice, found.options)
            step.add(got, step.place.folder / choice.name)
            got.unlink()
    return failed


def _folder_beside(history: Path) -> "tempfile.TemporaryDirectory[str]":
    try:
        return tempfile.TemporaryDirectory(dir=history, prefix=".scrape-")
    except OSError as error:
        raise output_error(error, history) from error


def _write_caption(step: Step, choice: Choice, options: ScrapeOptions) -> None:
    if options.captions:
        step.write(_caption_file(step, choice, options), caption_text(choice.post))


def _caption_file(step: Step, choice: Choice, options: ScrapeOptions) -> Path:
    return (step.place.folder / choice.name).with_suffix(with_dot(options.caption_extension))


def caption_text(post: Post) -> str:
    """Give a post's tags as a caption: what is to be seen, neither artist nor notes about the file."""
    tags = [written(tag) for kind in CAPTION_CATEGORIES for tag in post.tags.get(kind, ())]
    return join_tags([tag.replace(",", "") for tag in dict.fromkeys(tags)])


def _fetched(
    wanted: list[Choice], client: Client, folder: Path, report: Report
) -> Iterator[tuple[Choice, Path | Problem]]:
    def fetch(choice: Choice) -> tuple[Choice, Path | Problem]:
        target = folder / choice.name
        try:
            client.file(choice.url, target, "" if choice.is_sample else choice.post.md5)
            with opened(target) as image:
                if choice.is_sample or not choice.post.md5:  # nothing else tells that it is whole
                    image.load()
            return choice, target
        except DatasetError as error:
            return choice, error.problems[0]
        except UNREADABLE as error:
            what = f"is no picture: {str(error).replace(str(target), choice.name)[:100]}"
            return choice, Problem(choice.name, what, "look at its page there")

    return in_threads(fetch, wanted, label="fetching", report=report)


def _write_list(path: Path, site: str, wanted: list[Choice], there: list[Choice]) -> None:
    """Keep what is known of every picture, one JSON object a line, also of those found before.

    Raises DatasetError where somebody has written into the list, OutputError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8").rstrip("\n").split("\n") if path.exists() else []
        lines = {json.loads(line)["id"]: line for line in before if line}
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError("is no list of pictures any more", where=str(path), todo="move it elsewhere") from error
    except OSError as error:
        raise output_error(error, path) from error
    for choice in there:  # of one that was there, the line that was written with it
        lines.setdefault(choice.post.id, _line(choice, site))
    lines |= {choice.post.id: _line(choice, site) for choice in wanted}
    write_whole(path, "".join(f"{line}\n" for line in lines.values()))


def _line(choice: Choice, site: str) -> str:
    known = {"file": choice.name, "site": site, "is_sample": choice.is_sample, "url": choice.url}
    return json.dumps({**known, **asdict(choice.post)}, ensure_ascii=False)


def _short(tags: str) -> str:
    """Give a file name that tells searches apart."""
    words = "".join(sign if sign.isalnum() else "_" for sign in tags)[:40].strip("_")
    return f"{words}-{hashlib.sha256(tags.encode()).hexdigest()[:8]}"
