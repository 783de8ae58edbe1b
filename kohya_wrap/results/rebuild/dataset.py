"""sd-scripts' dataset file back into a preset's fields; what they cannot hold becomes extras.custom_dataset."""

import re
from collections.abc import Mapping
from pathlib import Path

from kohya_wrap.config import SetupConfig, TrainConfig
from kohya_wrap.dataset.folder import ENDINGS
from kohya_wrap.dataset.rules import RULE_KEYS, bucket_rules
from kohya_wrap.paths import ProjectPaths
from kohya_wrap.results.rebuild.draft import Draft
from kohya_wrap.sd_scripts.toml_text import render

Table = Mapping[str, object]

_FIELDS = {
    "flip_aug": "processing.flip_aug",
    "caption_extension": "processing.caption_extension",
    "shuffle_caption": "processing.shuffle_tags",
    "keep_tokens": "processing.activation_tags",
}
_DEFAULTS: Table = {
    "resolution": 512,
    "flip_aug": False,
    "caption_extension": ".caption",
    "shuffle_caption": False,
    "keep_tokens": 0,
    "num_repeats": 1,
}
"""What the engine takes where neither file says it. Source: facts, sd-scripts.md section 2.1."""


def put_dataset(draft: Draft, document: Table, training: Table) -> None:
    """Set the fields that a dataset file stands for. What it leaves out, the training file or the engine says."""
    general = {**_DEFAULTS, **_known(training), **_table(document.get("general"))}
    datasets = tables(document.get("datasets"))
    subsets = tables(datasets[0].get("subsets")) if len(datasets) == 1 else []
    for key, field in _FIELDS.items():
        draft.put(field, general.get(key))
    one = {**general, **_without_subsets(datasets[0]), **subsets[0]} if len(subsets) == 1 else {}
    if one and _is_plain(one, draft.name):
        _put_plain(draft, one)
    elif datasets:
        draft.put("processing.resolution", _square(general.get("resolution")))
        draft.put("extras.custom_dataset", render({"datasets": _custom(datasets, general)}))
    else:
        draft.put("processing.resolution", _square(general.get("resolution")))
        draft.note("The dataset names no folders: its buckets, if they are not the notebook's, are not set.")


def _custom(datasets: list[dict[str, object]], general: Table) -> list[dict[str, object]]:
    """Give the [[datasets]] with what [general] says, but for what a preset's fields say."""
    own = {key: value for key, value in general.items() if key not in {*_FIELDS, "num_repeats"}}
    repeats = {"num_repeats": general["num_repeats"]}
    return [
        {**own, **_without_subsets(each), "subsets": [{**repeats, **subset} for subset in tables(each.get("subsets"))]}
        for each in datasets
    ]


def count_pictures(document: Table) -> int:
    """Count the pictures of an epoch, repeats counted, in the folders that are there; 0 if one of them is not."""
    counts = []
    general = _table(document.get("general"))
    for dataset in tables(document.get("datasets")):
        for subset in tables(dataset.get("subsets")):
            folder = Path(str(subset.get("image_dir", "")))
            if not folder.is_dir():
                return 0
            repeats = {**general, **dataset, **subset}.get("num_repeats", 1)
            files = sum(file.suffix.lower() in ENDINGS for file in folder.iterdir())
            counts.append(files * repeats if isinstance(repeats, int) else 0)
    return sum(counts)


def _put_plain(draft: Draft, one: Table) -> None:
    """Set the fields of one folder with the notebook's buckets."""
    for key, field in _FIELDS.items():
        draft.put(field, one.get(key))
    draft.put("processing.resolution", _square(one.get("resolution")))
    draft.put("steps.num_repeats", one.get("num_repeats"))
    draft.put("steps.train_batch_size", one.get("batch_size"))
    folder = str(one.get("image_dir", ""))
    for structure in ("project", "category"):
        place = ProjectPaths(Path(), draft.name, "project" if structure == "project" else "category").dataset.parts
        if Path(folder).parts[-len(place) :] == place:
            draft.put("setup.folder_structure", structure)
            draft.put("dataset.images", "")
            return
    draft.put("dataset.images", folder)


def _is_plain(one: Table, name: str) -> bool:
    """Say whether the fields of a preset can hold a dataset: one folder, square, in the buckets of the notebook."""
    side = _square(one.get("resolution"))
    if side is None:
        return False
    rules = bucket_rules(TrainConfig(setup=SetupConfig(project_name=name)), {"resolution": side})
    notebook = {key: getattr(rules, key) for key in RULE_KEYS}
    engine: Table = {"min_bucket_reso": 256, "max_bucket_reso": 1024, "bucket_reso_steps": 64}
    stated = {key: one.get(key, engine.get(key, False)) for key in RULE_KEYS}
    classless = one.get("class_tokens") in (None, name)
    known = {*_FIELDS, *RULE_KEYS, "resolution", "num_repeats", "image_dir", "batch_size", "class_tokens"}
    return stated == notebook and classless and set(one) <= known


def _known(training: Table) -> Table:
    """Give what a training file says for the dataset file; its resolution is a text."""
    known = {key: training[key] for key in (*_FIELDS, *RULE_KEYS) if key in training}
    sides = [int(side) for side in str(training.get("resolution", "")).split(",") if re.fullmatch(r" *\d{1,6} *", side)]
    return {**known, **({"resolution": sides[0] if len(set(sides)) == 1 else sides} if sides else {})}


def _without_subsets(dataset: Table) -> dict[str, object]:
    return {key: value for key, value in dataset.items() if key != "subsets"}


def _square(resolution: object) -> int | None:
    """Give the side of a square resolution, None for any other."""
    sides = resolution if isinstance(resolution, list) else [resolution]
    return sides[0] if len(set(map(str, sides))) == 1 and isinstance(sides[0], int) else None


def _table(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, Mapping) else {}


def tables(value: object) -> list[dict[str, object]]:
    """Give the tables of a list; empty for anything else."""
    return [dict(entry) for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []
