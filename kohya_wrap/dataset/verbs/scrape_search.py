"""Looks for pictures on a board: what there is for some tags, and which of it is worth fetching."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from kohya_wrap.dataset.boorus import BOORUS, Post
from kohya_wrap.dataset.boorus.client import Client
from kohya_wrap.dataset.folder import ENDINGS
from kohya_wrap.dataset.verbs.parallel import Report, no_report
from kohya_wrap.errors import DatasetError

MOST = 1000
_MOST_PAGES = 30


@dataclass(frozen=True, slots=True)
class ScrapeOptions:
    """As in the notebook. `tags`: with spaces between, underscores inside, `-` excludes, `score:>10`.

    A picture of more than `max_resolution` squared pixels is fetched as the service's smaller sample.
    `captions`: write the service's own tags.
    """

    tags: str
    site: str = "gelbooru"
    limit: int = MOST
    max_resolution: int = 3072
    include_posts_with_parent: bool = True
    captions: bool = False
    caption_extension: str = ".txt"


@dataclass(frozen=True, slots=True)
class Choice:
    """A picture that will be fetched: its post, from where, whether that is the sample, and the name it gets."""

    post: Post
    url: str
    is_sample: bool
    name: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a search gave. `total`: all that match, where the service says so. The rest counts what was left out."""

    client: Client
    options: ScrapeOptions
    choices: tuple[Choice, ...]
    total: int | None
    no_file: int = 0
    no_picture: int = 0
    with_parent: int = 0


def look_up(
    options: ScrapeOptions, *, env: Mapping[str, str], patience: float = 1.0, report: Report = no_report
) -> Found:
    """Ask the service what there is; no picture is fetched. Keys and addresses are read from `env`.

    Raises DatasetError.
    """
    if options.site not in BOORUS:
        raise DatasetError("is no service that is known", where=options.site, todo=f"use {', '.join(BOORUS)}")
    if not 1 <= options.limit <= MOST:
        raise DatasetError(f"{options.limit} is not from 1 to {MOST}", where="limit", todo="be kind to the service")
    client = Client.from_environment(BOORUS[options.site], env, patience=patience)
    search = Search(options)
    total = None
    for number in range(_MOST_PAGES):
        page = client.page(options.tags, number)
        total = page.total if total is None else total
        search.take(page.posts)
        report("listing", len(search.choices), options.limit)
        if not page.posts or len(search.choices) >= options.limit or (total is not None and search.seen >= total):
            break
    return search.found(client, total)


class Search:
    """Chooses among posts, each once."""

    def __init__(self, options: ScrapeOptions) -> None:
        self.options = options
        self.choices: list[Choice] = []
        self.counts = {"no_file": 0, "no_picture": 0, "with_parent": 0}
        self._ids: set[int] = set()

    @property
    def seen(self) -> int:
        """How many posts have been looked at."""
        return len(self._ids)

    def take(self, posts: tuple[Post, ...]) -> None:
        """Look at the posts of a page."""
        for post in posts:
            if post.id not in self._ids and len(self.choices) < self.options.limit:
                self._ids.add(post.id)
                self._choose(post)

    def _choose(self, post: Post) -> None:
        if post.parent_id and not self.options.include_posts_with_parent:
            self.counts["with_parent"] += 1
        elif not post.file_url:
            self.counts["no_file"] += 1
        elif _ending(post.file_url) not in ENDINGS:
            self.counts["no_picture"] += 1
        else:
            large = post.width * post.height > self.options.max_resolution**2
            is_sample = large and _ending(post.sample_url) in ENDINGS and post.sample_url != post.file_url
            url = post.sample_url if is_sample else post.file_url
            self.choices.append(Choice(post, url, is_sample, f"{self.options.site}_{post.id}{_ending(url)}"))

    def found(self, client: Client, total: int | None) -> Found:
        """Sum up. `total`: see Found."""
        return Found(client, self.options, tuple(self.choices), total, **self.counts)


def _ending(url: str) -> str:
    try:
        return PurePosixPath(urlsplit(url).path).suffix.lower()
    except ValueError:  # "http://[", from a service
        return ""
