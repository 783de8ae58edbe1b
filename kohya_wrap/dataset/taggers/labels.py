"""A tagger's list of labels, and how a label is written into a caption."""

import csv
import re
from pathlib import Path

from kohya_wrap.dataset.taggers.tagger import Category, Label
from kohya_wrap.errors import DatasetError

_CATEGORIES: dict[str, Category] = {"0": "general", "4": "character", "9": "rating"}
"""Source: facts, services.md section 3 (the numbers are Danbooru's, 9 is the model's own)."""
_WORD = re.compile(r"[^\W_]{2}")


def read_labels(path: Path) -> tuple[Label, ...]:
    """Read selected_tags.csv (tag_id,name,category,count), in the order of the model's output. Raises DatasetError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            labels = tuple(
                Label(row["name"], _CATEGORIES.get(row["category"], "other")) for row in csv.DictReader(file)
            )
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise _no_list(path) from error
    if not labels or not all(label.name for label in labels):
        raise _no_list(path)
    return labels


def _no_list(path: Path) -> DatasetError:
    todo = "give the selected_tags.csv of the same model: tag_id,name,category,count"
    return DatasetError("is no list of tags", where=str(path), todo=todo)


def is_emoticon(name: str) -> bool:
    """Whether a label is drawn with signs: it has no two letters or digits side by side, as in `^_^` or `(o)_(o)`."""
    return _WORD.search(name) is None


def written(name: str) -> str:
    """Give a label as captions have it: spaces for underscores, except in emoticons."""
    return name if is_emoticon(name) else name.replace("_", " ")


def compared(tag: str) -> str:
    """Give a tag as it is compared with another one: underscores are spaces, case does not count."""
    return written(tag.strip()).casefold()
