"""scrape: pictures of a board by tags. Source: the Dataset Maker's "Scrape images from Gelbooru"."""

import hashlib
import json
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

    The list of all pictures is kept beside the history. A picture that cannot be fetched is named, and the others
    are. Raises OutputError, DiskFullError, ProjectBusyError.
    """
    options = found.options
    listed = place.history / "scrapes" / f"{options.site}-{_short(options.tags)}.jsonl"
    with open_step(place, "scrape", asdict(options), dry_run=dry_run) as step:
        wanted = [choice for choice in found.choices if not _is_there(place.folder, choice)]
        there = len(found.choices) - len(wanted)
        if dry_run:
            step.counts["created"] = len(wanted) * (2 if options.captions else 1)
            return Scraped(step, len(wanted), there, (), listed)
        _write_list(listed, found)
        failed = []
        with tempfile.TemporaryDirectory(dir=place.history, prefix=".scrape-") as folder:
            for choice, got in _fetched(wanted, found.client, Path(folder), report):
                if isinstance(got, Problem):
                    failed.append(got)
                    continue
                _take(step, choice, got, options)
        return Scraped(step, len(wanted) - len(failed), there, tuple(failed), listed)


def _is_there(folder: Path, choice: Choice) -> bool:
    """Whether a picture was fetched before, whichever of its two files."""
    stem = PurePosixPath(choice.name).stem
    return any((folder / f"{stem}{ending}").is_file() for ending in ENDINGS)


def _take(step: Step, choice: Choice, got: Path, options: ScrapeOptions) -> None:
    target = step.place.folder / choice.name
    # The caption first: cut short between the two, the picture is fetched again.
    if options.captions:
        step.write(target.with_suffix(with_dot(options.caption_extension)), caption_text(choice.post))
    step.add(got, target)
    got.unlink()


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
            with opened(target):
                return choice, target
        except DatasetError as error:
            return choice, error.problems[0]
        except UNREADABLE as error:
            what = f"is no picture: {str(error).replace(str(target), choice.name)[:100]}"
            return choice, Problem(choice.name, what, "look at its page there")

    return in_threads(fetch, wanted, label="fetching", report=report)


def _write_list(path: Path, found: Found) -> None:
    """Keep what is known of every picture, one JSON object a line. Raises OutputError."""
    lines = [
        {
            "file": choice.name,
            "site": found.options.site,
            "is_sample": choice.is_sample,
            "url": choice.url,
            **asdict(choice.post),
        }
        for choice in found.choices
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, path) from error
    write_whole(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def _short(tags: str) -> str:
    """Give a file name that tells searches apart."""
    words = "".join(sign if sign.isalnum() else "_" for sign in tags)[:40].strip("_")
    return f"{words}-{hashlib.sha256(tags.encode()).hexdigest()[:8]}"
