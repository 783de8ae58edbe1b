"""Tags: how many files have each tag, which tags go together, and in which files one is. Changes nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.dataset.history import DatasetPlace
from kohya_wrap.dataset.tag_text import split_tags
from kohya_wrap.dataset.verbs.curate import caption_files, read_caption
from kohya_wrap.errors import DatasetError, Problem


@dataclass(frozen=True, slots=True)
class TagsOptions:
    """Which caption files are counted."""

    caption_extension: str = ".txt"
    recursive: bool = True


@dataclass(frozen=True, slots=True)
class Pair:
    """Two tags: in how many files is the one, the other, are both."""

    first: str
    second: str
    with_first: int
    with_second: int
    with_both: int


@dataclass(frozen=True, slots=True)
class TagCounts:
    """`tags` of each caption file; `counts`: in how many files each tag is, most frequent first."""

    tags: Mapping[Path, frozenset[str]]
    counts: Mapping[str, int]
    repeated: int
    """Tags that stand twice or more in one file, over all files."""

    def top(self, number: int) -> dict[str, int]:
        """Give the most frequent tags; 0: all."""
        return dict(list(self.counts.items())[: number or None])

    def files_with(self, tag: str) -> list[Path]:
        """List the caption files that have a tag."""
        return [path for path, tags in self.tags.items() if tag in tags]

    def pair(self, first: str, second: str) -> Pair:
        """Count two tags together."""
        both = sum(first in tags and second in tags for tags in self.tags.values())
        return Pair(first, second, self.counts.get(first, 0), self.counts.get(second, 0), both)

    def together_with(self, tag: str, number: int) -> dict[str, int]:
        """Give the tags that are most often in the same file as `tag`, and how often; 0: all."""
        counts = Counter(other for tags in self.tags.values() if tag in tags for other in tags if other != tag)
        return dict(_ordered(counts)[: number or None])


def count_tags(place: DatasetPlace, options: TagsOptions) -> TagCounts:
    """Count the tags of a dataset. Captions that cannot be read are all named. Raises DatasetError."""
    counts: Counter[str] = Counter()
    tags: dict[Path, frozenset[str]] = {}
    problems: list[Problem] = []
    repeated = 0
    for path in caption_files(place.folder, options.caption_extension, recursive=options.recursive):
        text = read_caption(path)
        if isinstance(text, Problem):
            problems.append(text)
            continue
        listed = split_tags(text)
        tags[path] = frozenset(listed)
        counts.update(tags[path])
        repeated += len(listed) - len(tags[path])
    if problems:
        raise DatasetError.of(problems, what="not all caption files can be read")
    return TagCounts(tags, dict(_ordered(counts)), repeated)


def _ordered(counts: Mapping[str, int]) -> Sequence[tuple[str, int]]:
    """By count, then by name, so that the order is the same every time."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
