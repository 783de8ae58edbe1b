"""Captions as tags: commas between them, and brackets escaped and weighted for `weighted_captions`, and back."""

import re
from collections.abc import Sequence

_WEIGHTED = re.compile(r"\((.+):[+-]?\d*\.?\d+\)", re.DOTALL)
_MEANT = re.compile(r"[\\()\[\]:]")
"""What the engine's weights are written with. The notebook escaped `(`, `)` and `:` only; a backslash and square
brackets mean something to the engine as well."""
_ESCAPED = re.compile(r"\\([\\()\[\]:])")


def split_tags(text: str) -> list[str]:
    """Split at commas; spaces and line breaks around a tag go, and so do empty ones. Source: Dataset_Maker, curate."""
    return [tag for part in text.split(",") if (tag := part.strip())]


def join_tags(tags: Sequence[str]) -> str:
    """Give a caption file's whole text."""
    return ", ".join(tags)


def plain_tag(tag: str) -> str:
    r"""Take a weight and escapes off a tag: `(saber \(fate\):1.1)` becomes `saber (fate)`, and `\m/` stays."""
    weighted = _WEIGHTED.fullmatch(tag)
    return _ESCAPED.sub(r"\1", weighted[1] if weighted else tag)


def weighted_tags(tags: Sequence[str], *, activation_tags: int, weight: float) -> list[str]:
    """Escape plain tags for `weighted_captions` and give the first of them a weight, where it is above 1.

    Source: Lora_Trainer, adjust_tags and activation_tag_weight; `activation_tags` is its keep_tokens.
    """
    escaped = [_MEANT.sub(r"\\\g<0>", tag) for tag in tags]
    first = activation_tags if weight > 1 else 0
    return [f"({tag}:{weight:g})" if place < first else tag for place, tag in enumerate(escaped)]
