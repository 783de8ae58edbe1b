"""How an inspected LoRA looks on a screen, and as JSON."""

import dataclasses
import itertools
import textwrap
from collections.abc import Mapping

from kohya_wrap.cli.output import printable, size_text, time_text
from kohya_wrap.results.inspect import LoraHashes, LoraHeader, Measures
from kohya_wrap.results.inspect.metadata import TrainingFacts
from kohya_wrap.results.inspect.modules import TITLES

Rows = list[tuple[str, str]]

_LONGEST, _WIDTH = 1000, 100
_TAGS, _FOLDERS, _NAMES = 20, 10, 3
"""How many of each a person is shown; --json has all."""


def lora_rows(header: LoraHeader, hashes: LoraHashes | None, measures: Measures | None) -> Rows:
    """Describe a LoRA for a person, most wanted first; only what the file says, and of that no more than one screen."""
    rows = _header_rows(header)
    if hashes is not None and measures is not None:
        rows += _number_rows(header, hashes, measures)
    clean = ((label, " ".join(printable(text).split())) for label, text in rows if text)
    return [(label, text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …") for label, text in clean]


def _header_rows(header: LoraHeader) -> Rows:
    facts = header.facts
    return [
        ("LoRA", f"{header.file.path}  {size_text(header.size)}"),
        ("is", what_it_is(header)),
        ("modules", _modules(header)),
        ("title", facts.title),
        ("base", _base(facts)),
        ("call it", _activation(facts)),
        ("tags", _tags(facts)),
        *_dataset(facts),
        ("trained", _length(facts)),
        *_wrapped("settings", [f"{key} {value[:100]}" for key, value in facts.settings.items()]),
        ("engine", facts.engine),
        ("licence", facts.licence),
        *(("note", note) for note in header.notes),
    ]


def _number_rows(header: LoraHeader, hashes: LoraHashes, measures: Measures) -> Rows:
    agrees = {True: ", as its metadata says", False: "; its metadata says another: CHANGED AFTER SAVING", None: ""}
    total = len(measures.modules)
    return [
        ("AutoV2", f"{hashes.auto_v2}  (SHA256 {hashes.sha256})"),
        ("AutoV3", f"{hashes.auto_v3}  (sshs_model_hash {hashes.tensors_sha256}{agrees[hashes.matches_metadata]})"),
        ("AutoV1", hashes.auto_v1),
        *_wrapped("norms", [f"{block} {norm:.3g}" for block, norm in measures.blocks.items()]),
        ("strongest", max(measures.blocks, key=lambda block: measures.blocks[block], default="")),
        ("NaN, Inf", _some(measures.bad_tensors, len(header.file.tensors), "tensors") or "none"),
        ("all zero", _some(measures.zero, total, "modules") or "none"),
        ("", _why_zero(header, measures)),
        ("unread", _some(measures.unknown, total, "modules: the file alone does not tell their norm")),
    ]


def picture_titles(header: LoraHeader) -> tuple[str, str]:
    """Give title and subtitle of the picture of norms."""
    return header.file.path.name, f"{what_it_is(header)}, {len(header.structure.modules)} modules"


def what_it_is(header: LoraHeader) -> str:
    """Say type, family, rank and alpha in one line."""
    structure, facts = header.structure, header.facts
    parts = [f"{structure.kind} for {TITLES.get(header.family, header.family)}"]
    if structure.ranks:
        parts.append(f"rank {_ranks(structure.ranks)}")
    if facts.alpha is not None:
        parts.append(f"alpha {facts.alpha:g}")
    if structure.conv_ranks:
        parts.append(f"in convolutions rank {_ranks(structure.conv_ranks)}")
    return ", ".join(parts)


def lora_json(header: LoraHeader, hashes: LoraHashes | None, measures: Measures | None) -> dict[str, object]:
    """Give everything, the metadata as it is included."""
    structure, facts = header.structure, header.facts
    return {
        "file": str(header.file.path),
        "size": header.size,
        "type": structure.kind,
        "family": header.family,
        "ranks": structure.ranks,
        "conv_ranks": structure.conv_ranks,
        "modules": {"total": len(structure.modules), **structure.counts()},
        "numeric_types": header.numeric_types,
        **{name: value for name, value in dataclasses.asdict(facts).items() if name not in {"family", "dim"}},
        "notes": header.notes,
        "hashes": None if hashes is None else _hashes_json(hashes),
        "numbers": None if measures is None else _numbers_json(measures),
        "metadata": dict(header.file.metadata),
    }


def _hashes_json(hashes: LoraHashes) -> dict[str, object]:
    return {
        "sha256": hashes.sha256,
        "auto_v1": hashes.auto_v1,
        "auto_v2": hashes.auto_v2,
        "auto_v3": hashes.auto_v3,
        "sshs_model_hash": hashes.tensors_sha256,
        "matches_metadata": hashes.matches_metadata,
    }


def _numbers_json(measures: Measures) -> dict[str, object]:
    return {
        "norm_per_block": measures.blocks,
        "alphas": measures.alphas,
        "not_finite": measures.bad_tensors,
        "all_zero": measures.zero,
        "norm_unknown": measures.unknown,
        "modules": [dataclasses.asdict(module) for module in measures.modules],
    }


def _ranks(ranks: Mapping[int, int]) -> str:
    if len(ranks) == 1:
        return str(next(iter(ranks)))
    return f"{min(ranks)} to {max(ranks)}"


def _modules(header: LoraHeader) -> str:
    counts = ", ".join(f"{count} in the {part}" for part, count in header.structure.counts().items())
    types = ", ".join(itertools.islice(header.numeric_types, 4))
    return f"{len(header.structure.modules)}: {counts}; stored as {types}" if counts else ""


def _base(facts: TrainingFacts) -> str:
    parts = [facts.base_model or ("(no name)" if facts.base_sha256 or facts.base_hash else "")]
    parts += [f"SHA256 {facts.base_sha256}"] if facts.base_sha256 else []
    parts += [f"old hash {facts.base_hash}"] if facts.base_hash else []
    return "  ".join(parts)


def _activation(facts: TrainingFacts) -> str:
    if not facts.activation_tags:
        return ""
    more = ", …" if len(facts.activation_tags) > _TAGS else ""
    return f"{', '.join(facts.activation_tags[:_TAGS])}{more}  (by {facts.activation_tags_by})"


def _tags(facts: TrainingFacts) -> str:
    shown = ", ".join(f"{tag[:60]} {count}" for tag, count in itertools.islice(facts.tag_counts.items(), _TAGS))
    rest = len(facts.tag_counts) - _TAGS
    return f"{shown}, and {rest} more" if rest > 0 else shown


def _dataset(facts: TrainingFacts) -> Rows:
    rows = [
        ("dataset" if index == 0 else "", f"{folder.name}: {folder.images} pictures x {folder.repeats} repeats")
        for index, folder in enumerate(facts.folders[:_FOLDERS])
    ]
    rest = len(facts.folders) - _FOLDERS
    return [*rows, ("", f"and {rest} more folders")] if rest > 0 else rows


def _length(facts: TrainingFacts) -> str:
    parts = [f"{facts.steps:,} steps"] if facts.steps else []
    if facts.epoch:
        parts.append(f"epoch {facts.epoch} of {facts.epochs}" if facts.epochs else f"epoch {facts.epoch}")
    parts += [f"{facts.train_images:,} pictures with repeats"] if facts.train_images else []
    parts += [time_text(facts.seconds)] if facts.seconds is not None else []
    return ", ".join(parts)


def _wrapped(label: str, texts: list[str]) -> Rows:
    lines = textwrap.wrap(", ".join(texts), _WIDTH, break_on_hyphens=False)
    return [(label if index == 0 else "", line) for index, line in enumerate(lines)]


def _why_zero(header: LoraHeader, measures: Measures) -> str:
    """Say where zeros are no fault: clip skip leaves out the text encoder's last layers, so they never learn."""
    skipped = header.facts.settings.get("clip_skip", "1") not in {"0", "1"}
    if measures.zero and skipped and all("_te" in name and "encoder_layers_" in name for name in measures.zero):
        return "no fault: clip skip leaves out the text encoder's last layers"
    return ""


def _some(names: tuple[str, ...], total: int, what: str) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"{len(names)} of {total} {what}: {', '.join(names[:_NAMES])}{more}"
