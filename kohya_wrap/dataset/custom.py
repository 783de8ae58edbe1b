"""extras.custom_dataset: several folders with their own repeats and options, as TOML text in the notebook's form."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kohya_wrap.dataset.findings import finding
from kohya_wrap.errors import Problem
from kohya_wrap.paths import expanded

_SHARED = {
    "num_repeats": "int", "shuffle_caption": "bool", "keep_tokens": "int", "keep_tokens_separator": "str",
    "secondary_separator": "str", "caption_separator": "str", "enable_wildcard": "bool", "caption_prefix": "str",
    "caption_suffix": "str", "token_warmup_min": "int", "token_warmup_step": "number", "color_aug": "bool",
    "flip_aug": "bool", "random_crop": "bool", "face_crop_aug_range": "floats", "resize_interpolation": "str",
    "custom_attributes": "table", "caption_dropout_rate": "number", "caption_tag_dropout_rate": "number",
    "caption_dropout_every_n_epochs": "int", "caption_extension": "str", "class_tokens": "str", "cache_info": "bool",
}  # fmt: skip
_DATASET = _SHARED | {
    "resolution": "resolution", "batch_size": "int", "enable_bucket": "bool", "min_bucket_reso": "int",
    "max_bucket_reso": "int", "bucket_reso_steps": "int", "bucket_no_upscale": "bool", "network_multiplier": "float",
    "validation_split": "float", "validation_seed": "int",
}  # fmt: skip
_SUBSET = _SHARED | {"image_dir": "str", "is_reg": "bool", "alpha_mask": "bool"}
"""Which keys each table may have, and of what type. Source: facts, sd-scripts.md section 2.1."""
_TYPES = {
    "bool": "true or false", "int": "a whole number", "str": "text in quotes", "number": "a number",
    "float": "a number with a decimal point", "floats": "two numbers with decimal points", "table": "a table",
    "resolution": "a whole number of pixels, or two in brackets",
}  # fmt: skip
_AT_LEAST_ONE = ("batch_size", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps")


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
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        custom.findings.append(finding("custom-dataset", where, f"is not TOML: {error}"))
        return custom
    allowed = {"datasets", "general"} if with_general else {"datasets"}
    for key in sorted(document.keys() - allowed):
        custom.findings.append(finding("custom-dataset", f"{where}: {key}", "only [[datasets]] may stand there"))
    general = document.get("general", {})
    if with_general and isinstance(general, dict):
        custom.general = general
        custom.findings += _keys(general, _DATASET, f"{where}: general")
    datasets = document.get("datasets", [])
    if not isinstance(datasets, list) or not datasets or not all(isinstance(each, dict) for each in datasets):
        custom.findings.append(finding("custom-dataset", where, "has no [[datasets]] with [[datasets.subsets]]"))
        return custom
    custom.tables = datasets
    custom.findings += (problem for number, table in enumerate(datasets) for problem in _check(table, where, number))
    return custom


def _check(table: Mapping[str, object], where: str, number: int) -> Iterator[Problem]:
    place = f"{where}: datasets[{number}]"
    yield from _keys({key: value for key, value in table.items() if key != "subsets"}, _DATASET, place)
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
    yield from _keys(subset, _SUBSET, place)
    if "image_dir" not in subset:
        yield finding("custom-dataset", place, "has no image_dir")


def _keys(table: Mapping[str, object], known: Mapping[str, str], place: str) -> Iterator[Problem]:
    """Say which keys do not exist here, and which values are not of their type or range."""
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f", did you mean {near[0]}?" if near else ""
            yield finding("custom-dataset", f"{place}.{key}", f"no such key is known here{hint}")
        elif not _is(value, known[key]):
            yield finding("custom-dataset", f"{place}.{key}", f"{value!r} is not {_TYPES[known[key]]}")
        elif isinstance(value, int | float):
            yield from _range(key, value, place)


def _range(key: str, value: float, place: str) -> Iterator[Problem]:
    if key == "num_repeats" and value < 1:
        yield finding("no-repeats", f"{place}.{key}", f"is {value}")
    elif key in _AT_LEAST_ONE and value < 1:
        yield finding("custom-dataset", f"{place}.{key}", f"{value} is less than 1")
    elif key == "resolution" and value < STEP:
        yield finding("custom-dataset", f"{place}.{key}", f"{value} is less than {STEP}")
    elif key == "validation_split" and value:
        yield finding("not-yet", f"{place}.{key}", "pictures are not set aside for validation")
    elif key.endswith("_rate") and not 0 <= value <= 1:
        yield finding("custom-dataset", f"{place}.{key}", f"{value} is not between 0 and 1")


STEP = 64
"""Smallest side that the engine can train, in pixels."""


def _is(value: object, kind: str) -> bool:
    if kind == "resolution":
        sides = value if isinstance(value, list) and len(value) == 2 else [value]
        return all(_is(side, "int") and isinstance(side, int) and (side >= STEP or len(sides) == 1) for side in sides)
    if kind == "floats":
        return isinstance(value, list) and len(value) == 2 and all(isinstance(each, float) for each in value)
    if isinstance(value, bool):
        return kind == "bool"
    types = {"int": int, "str": str, "number": (int, float), "float": float, "table": dict}
    return kind != "bool" and isinstance(value, types[kind])  # type: ignore[arg-type]  # a type or a pair of them


def folder_of(subset: Mapping[str, object], root: Path) -> Path:
    """Give a subset's folder, absolute: the engine expands no ~ and starts in another folder."""
    return (root / expanded(str(subset.get("image_dir", "")))).absolute()
