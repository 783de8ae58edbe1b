"""extras.custom_dataset: several folders with their own repeats and options, as TOML text in the notebook's form."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kohya_wrap.dataset.findings import finding
from kohya_wrap.errors import Problem

SHARED_KEYS = frozenset(
    {
        "num_repeats", "shuffle_caption", "keep_tokens", "keep_tokens_separator", "secondary_separator",
        "caption_separator", "enable_wildcard", "caption_prefix", "caption_suffix", "token_warmup_min",
        "token_warmup_step", "color_aug", "flip_aug", "random_crop", "face_crop_aug_range", "resize_interpolation",
        "custom_attributes", "caption_dropout_rate", "caption_tag_dropout_rate", "caption_dropout_every_n_epochs",
        "caption_extension", "class_tokens", "cache_info",
    }
)  # fmt: skip
DATASET_KEYS = SHARED_KEYS | {
    "resolution", "batch_size", "enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps",
    "bucket_no_upscale", "network_multiplier", "validation_split", "validation_seed", "subsets",
}  # fmt: skip
SUBSET_KEYS = SHARED_KEYS | {"image_dir", "is_reg", "alpha_mask"}
"""Which keys each table may have. Source: facts, sd-scripts.md section 2.1."""


@dataclass(slots=True)
class CustomDatasets:
    """[[datasets]] tables as written, and what is wrong with them."""

    tables: list[Mapping[str, object]] = field(default_factory=list)
    general: Mapping[str, object] = field(default_factory=dict)
    findings: list[Problem] = field(default_factory=list)


def parse_custom(text: str, where: str, *, with_general: bool = False) -> CustomDatasets:
    """Read datasets from TOML text and check every key; `with_general`: a [general] table counts (a whole file)."""
    custom = CustomDatasets()
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        custom.findings.append(finding("custom-dataset", where, f"is not TOML: {error}"))
        return custom
    allowed = {"datasets", "general"} if with_general else {"datasets"}
    for key in document.keys() - allowed:
        custom.findings.append(finding("custom-dataset", f"{where}: {key}", "only [[datasets]] may stand there"))
    general = document.get("general", {})
    custom.general = general if with_general and isinstance(general, dict) else {}
    datasets = document.get("datasets", [])
    if not isinstance(datasets, list) or not datasets or not all(isinstance(each, dict) for each in datasets):
        custom.findings.append(finding("custom-dataset", where, "has no [[datasets]] with [[datasets.subsets]]"))
        return custom
    custom.tables = datasets
    custom.findings += (problem for number, table in enumerate(datasets) for problem in _check(table, where, number))
    return custom


def _check(table: Mapping[str, object], where: str, number: int) -> Iterator[Problem]:
    place = f"{where}: datasets[{number}]"
    yield from _unknown(table, DATASET_KEYS, place)
    subsets = table.get("subsets", [])
    if not isinstance(subsets, list) or not subsets:
        yield finding("custom-dataset", place, "has no [[datasets.subsets]]")
        return
    for index, subset in enumerate(subsets):
        yield from _check_subset(subset, f"{place}.subsets[{index}]")


def _check_subset(subset: object, place: str) -> Iterator[Problem]:
    if not isinstance(subset, dict):
        yield finding("custom-dataset", place, "is not a table")
        return
    yield from _unknown(subset, SUBSET_KEYS, place)
    if not isinstance(subset.get("image_dir"), str):
        yield finding("custom-dataset", place, "has no image_dir")
    repeats = subset.get("num_repeats", 1)
    if not isinstance(repeats, int) or isinstance(repeats, bool) or repeats < 1:
        yield finding("no-repeats", f"{place}.num_repeats", f"is {repeats!r}")


def _unknown(table: Mapping[str, object], known: frozenset[str], place: str) -> Iterator[Problem]:
    for key in table.keys() - known:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f", did you mean {near[0]}?" if near else ""
        yield finding("custom-dataset", f"{place}.{key}", f"the engine knows no such key{hint}")


def folder_of(subset: Mapping[str, object], root: Path) -> Path:
    """Give a subset's folder, absolute: the engine expands no ~ and starts in another folder."""
    return (root / Path(str(subset.get("image_dir", ""))).expanduser()).absolute()
