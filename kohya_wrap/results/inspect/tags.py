"""What a LoRA's metadata tells of its pictures and tags, and which of the tags call it."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kohya_wrap.results.lora_file import whole
from kohya_wrap.results.parameters.resources import loads

_REPEATS = re.compile(r"\d+_(.+)")


@dataclass(frozen=True, slots=True)
class DatasetFolder:
    """One folder it was trained on: pictures without repeats, and how often each was shown per epoch."""

    name: str
    images: int
    repeats: int


def tag_frequencies(said: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Give tag counts per folder, tags in order of their first appearance."""
    folders = loads(said.get("ss_tag_frequency", ""))
    return {
        str(folder): {str(tag).strip(): whole(count) for tag, count in tags.items()}
        for folder, tags in (folders.items() if isinstance(folders, dict) else ())
        if isinstance(tags, dict)
    }


def total_counts(folders: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add the counts of all folders, most frequent tag first."""
    total: Counter[str] = Counter()
    for tags in folders:
        total.update(tags)
    return dict(total.most_common())


def dataset_folders(said: Mapping[str, str]) -> tuple[DatasetFolder, ...]:
    """Give the folders of ss_dataset_dirs; empty where it is none."""
    dirs = loads(said.get("ss_dataset_dirs", ""))
    return tuple(
        DatasetFolder(str(name), whole(entry.get("img_count")), whole(entry.get("n_repeats")))
        for name, entry in (dirs.items() if isinstance(dirs, dict) else ())
        if isinstance(entry, dict)
    )


def datasets_of(said: Mapping[str, str]) -> list[dict[str, Any]]:
    """Give the datasets of ss_datasets; empty where it is none."""
    datasets = loads(said.get("ss_datasets", ""))
    return _tables(datasets)


def subsets_of(said: Mapping[str, str]) -> list[dict[str, Any]]:
    """Give the subsets of all datasets of ss_datasets."""
    return [subset for dataset in datasets_of(said) for subset in _tables(dataset.get("subsets"))]


def _tables(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def activation_tags(
    said: Mapping[str, str], folders: tuple[DatasetFolder, ...], tags: Mapping[str, Mapping[str, int]]
) -> tuple[tuple[str, ...], str]:
    """Find the tags that call the LoRA: as said, else those kept in front, else those on every picture."""
    if phrase := said.get("modelspec.trigger_phrase", ""):
        return _unique(phrase.split(",")), "its trigger phrase"
    subsets = subsets_of(said)
    said_kept = (said.get("ss_keep_tokens"), *(subset.get("keep_tokens") for subset in subsets))
    kept = max(whole(value) for value in said_kept)
    images = {folder.name: folder.images for folder in folders}
    common = [[tag for tag, count in of.items() if count >= images.get(name, count + 1)] for name, of in tags.items()]
    if kept and any(common):
        first = _unique(tag for found in common for tag in found[:kept])
        return first, f"keep_tokens = {kept}"
    if any(common):
        return _unique(tag for found in common for tag in found), "on every picture"
    if tokens := _unique(str(subset.get("class_tokens") or "") for subset in subsets):
        return tokens, "class_tokens"
    named = [match[1] for folder in folders if (match := _REPEATS.fullmatch(folder.name))]
    return (_unique(named), "the folder's name") if named else ((), "")


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))
