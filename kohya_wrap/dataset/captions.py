"""Caption files looked at as the engine will read them: the first line, UTF-8, tags with commas between them."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from kohya_wrap.dataset.findings import finding, names
from kohya_wrap.errors import Problem

_TOKENS = re.compile(r"[^\W\d_]+|\d|[^\w\s]|_", re.UNICODE)
_LETTERS_A_TOKEN = 7
"""CLIP's tokens average more letters than that in English; a longer word counts as several."""
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_WEIGHTED = re.compile(r"\((?P<tag>.*):[\d.]+\)")
_LARGEST = 16 << 20
"""Bytes of a caption file beyond which it is not read."""
_FACE_PARTS = 4
"""Parts of a name, between underscores, that the engine drops in search of a caption."""


def with_dot(extension: str) -> str:
    """Give the ending of caption files as the engine takes it: it adds a dot that is missing."""
    return extension if extension.startswith(".") or not extension else f".{extension}"


def caption_of(picture: Path, extension: str) -> Path:
    """Name the caption file that belongs to a picture."""
    return picture.with_suffix(with_dot(extension))


def borrowed_caption(picture: Path, extension: str) -> Path | None:
    """Name the second file in which the engine looks for a caption: face detection adds four parts to a name."""
    parts = str(picture.with_suffix("")).split("_")
    return Path("_".join(parts[:-_FACE_PARTS]) + with_dot(extension)) if len(parts) > _FACE_PARTS else None


def caption_findings(
    captions: Sequence[Path], *, max_tokens: int, activation_tag: str = "", all_lines: bool = False
) -> Iterator[Problem]:
    """Say what is wrong with captions that pictures have; `all_lines`: enable_wildcard reads more than the first."""
    without_tag = []
    for path in captions:
        text = _text_of(path)
        if isinstance(text, Problem):
            yield text
            continue
        lines = [line.strip() for line in _LINE_ENDS.split(text)]
        yield from _line_findings(path, lines, max_tokens, all_lines=all_lines)
        if activation_tag and lines[0] and not _starts_with(lines[0], activation_tag):
            without_tag.append(path)
    if without_tag:
        what = f"{names(without_tag)} do not start with {activation_tag!r}"
        yield finding("activation-tag", without_tag[0].parent, what)


def _text_of(path: Path) -> str | Problem:
    try:
        if (size := path.stat().st_size) > _LARGEST:
            return finding("caption-long", path, f"has {size >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        return finding("caption-unreadable", path, f"cannot be read: {error.strerror}")
    if not data:
        return finding("caption-empty", path, "has no bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return finding("caption-not-utf8", path, f"is not UTF-8 (byte {error.start})")


def _line_findings(path: Path, lines: Sequence[str], max_tokens: int, *, all_lines: bool) -> Iterator[Problem]:
    first, *rest = [line for line in lines if line] if all_lines and any(lines) else lines
    if not first:
        yield finding("caption-blank", path, "has nothing in its first line" if any(rest) else "is blank")
        return
    if any(rest) and not all_lines:
        yield finding("caption-lines", path, f"has {sum(map(bool, lines))} lines")
    tokens = estimated_tokens(first)
    if tokens > max_tokens:
        yield finding("caption-long", path, f"has about {tokens} tokens, and {max_tokens} are read")


def estimated_tokens(text: str) -> int:
    """Estimate CLIP's tokens: a word, a digit or a sign each, long words more. Within a fifth for English tags."""
    return sum(-(-len(token) // _LETTERS_A_TOKEN) for token in _TOKENS.findall(text))


def _starts_with(line: str, tag: str) -> bool:
    """Whether a line's first tags are `tag`, written as it is, with a weight, or with its brackets escaped."""
    plain = line.replace("\\(", "(").replace("\\)", ")")
    if any(text == tag or text.startswith((f"{tag},", f"{tag} ,")) for text in (line, plain)):
        return True
    weighted = _WEIGHTED.fullmatch(line.split(",", 1)[0].strip())
    return weighted is not None and weighted["tag"] == tag
