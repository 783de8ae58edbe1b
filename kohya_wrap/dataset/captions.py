"""Caption files looked at as the engine will read them: one line, UTF-8, tags with commas between them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kohya_wrap.dataset.findings import finding, names
from kohya_wrap.errors import Problem

_TOKENS = re.compile(r"[^\W\d_]+|\d|[^\w\s]|_", re.UNICODE)
_LETTERS_A_TOKEN = 7
"""CLIP's tokens average more letters than that in English; a longer word counts as several."""


def caption_of(picture: Path, extension: str) -> Path:
    """Name the caption file that belongs to a picture; the engine adds a dot that is missing."""
    ending = extension if extension.startswith(".") else f".{extension}"
    return picture.with_suffix(ending)


def caption_findings(captions: Sequence[Path], *, max_tokens: int, activation_tag: str) -> Iterator[Problem]:
    """Say what is wrong with captions that pictures have."""
    without_tag = []
    for path in captions:
        data = path.read_bytes()
        if not data:
            yield finding("caption-empty", path, "has no bytes")
            continue
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            yield finding("caption-not-utf8", path, f"is not UTF-8 (byte {error.start})")
            continue
        yield from _text_findings(path, text, max_tokens)
        if activation_tag and not _starts_with(text, activation_tag):
            without_tag.append(path)
    if without_tag:
        what = f"{names(without_tag)} do not start with {activation_tag!r}"
        yield finding("activation-tag", without_tag[0].parent, what)


def _text_findings(path: Path, text: str, max_tokens: int) -> Iterator[Problem]:
    if not text.strip():
        yield finding("caption-blank", path, "is blank")
        return
    first, *rest = text.strip().splitlines()
    if any(line.strip() for line in rest):
        yield finding("caption-lines", path, f"has {1 + len(rest)} lines")
    tokens = estimated_tokens(first)
    if tokens > max_tokens:
        yield finding("caption-long", path, f"has about {tokens} tokens, and {max_tokens} are read")


def estimated_tokens(text: str) -> int:
    """Estimate CLIP's tokens: a word, a digit or a sign each, long words more. Within a fifth for English tags."""
    return sum(-(-len(token) // _LETTERS_A_TOKEN) for token in _TOKENS.findall(text))


def _starts_with(text: str, tag: str) -> bool:
    # A blank caption has a finding of its own.
    return not text.strip() or text.strip().split(",", 1)[0].strip().strip("()").split(":")[0] == tag


def presence_findings(folder: Path, captions: Mapping[Path, Path | None]) -> Iterator[Problem]:
    """Say which pictures have no caption while others have one."""
    missing = [picture for picture, caption in captions.items() if caption is None]
    if missing and len(missing) < len(captions):
        yield finding(
            "caption-missing", folder, f"{names(missing)} {'has' if len(missing) == 1 else 'have'} no caption"
        )
