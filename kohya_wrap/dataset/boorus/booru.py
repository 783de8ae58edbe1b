"""What every picture board is to the verb `scrape`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

CAPTION_CATEGORIES = ("character", "copyright", "species", "general")
"""Of a post's tags, those that say what is to be seen, in this order. Gelbooru's are all `general`."""


@dataclass(frozen=True, slots=True)
class Post:
    """One picture. `file_url` is empty for one that is deleted or hidden; `sample_url` where there is no smaller one.

    `width`, `height` in pixels of the file. `tags` by category, with underscores. `parent_id` 0: none.
    """

    id: int
    rating: str
    md5: str
    score: int
    width: int
    height: int
    file_url: str
    sample_url: str
    parent_id: int
    source: str
    tags: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Keys:
    """Name and key of a user, for one service only; they are in no text that is shown."""

    user: str = field(default="", repr=False)
    key: str = field(default="", repr=False)

    @property
    def given(self) -> bool:
        """Whether there are both."""
        return bool(self.user and self.key)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: a path below the service's address, its query, and whom to sign as (HTTP Basic)."""

    path: str
    query: Mapping[str, str] = field(repr=False)
    basic: Keys = Keys()


@dataclass(frozen=True, slots=True)
class Page:
    """One answer. `total`: how many posts match in all, where the service says so."""

    posts: tuple[Post, ...]
    total: int | None = None


class Booru(Protocol):
    """A service's official JSON API. Source of all of them: facts, services.md section 4.

    `pause`: seconds between two requests. `user_variable`, `key_variable`, `url_variable`: of the environment.
    """

    name: str
    address: str
    page_size: int
    pause: float
    user_variable: str
    key_variable: str
    url_variable: str
    needs_key: bool

    def ask(self, tags: str, page: int, keys: Keys) -> Ask:
        """Build the request for a page, counted from 0."""
        ...

    def read(self, answer: object) -> Page:
        """Read an answer's JSON. Raises ValueError, KeyError or TypeError for one of another shape."""
        ...


def as_list(value: object) -> list[Mapping[str, object]]:
    """Give a list of posts: a single one may come as it is, none as nothing."""
    if value in (None, "", False):
        return []
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, list) and all(isinstance(one, Mapping) for one in value):
        return value
    raise TypeError("no list of posts")


def as_number(value: object) -> int:
    """Give a number, which may come as text or as nothing."""
    return int(str(value)) if value not in (None, "", False) else 0


def as_text(value: object) -> str:
    """Give a text that can be written down, which may come as nothing."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""
