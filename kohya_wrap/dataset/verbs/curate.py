"""Curate: put the activation tag first, remove, replace and sort tags, as the Dataset Maker's fifth cell did."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from kohya_wrap.dataset.captions import with_dot
from kohya_wrap.dataset.history import DatasetPlace, Step, open_step
from kohya_wrap.dataset.tag_text import join_tags, plain_tag, split_tags, weighted_tags
from kohya_wrap.errors import DatasetError, Problem

SearchMode = Literal["OR", "AND"]


@dataclass(frozen=True, slots=True)
class CurateOptions:
    """What to do with the tags of every caption file, named as in the notebook. Tags are matched as they are written.

    `adjust_tags`: brackets are escaped for `weighted_captions`, and the first `activation_tags` tags get
    `activation_tag_weight` where it is above 1; without `weighted_captions` that is taken back (Lora_Trainer).
    """

    global_activation_tag: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    search_tags: tuple[str, ...] = ()
    replace_with: tuple[str, ...] = ()
    search_mode: SearchMode = "OR"
    new_becomes_activation_tag: bool = False
    sort_alphabetically: bool = False
    remove_duplicates: bool = False
    adjust_tags: bool = False
    weighted_captions: bool = False
    activation_tag_weight: float = 1.0
    activation_tags: int = 1
    caption_extension: str = ".txt"
    recursive: bool = True

    def asked(self) -> dict[str, object]:
        """Give what differs from the defaults, for the history."""
        default = asdict(CurateOptions())
        return {key: value for key, value in asdict(self).items() if value != default[key]}


@dataclass(frozen=True, slots=True)
class Curated:
    """Tags of one file afterwards, how many were removed, and whether the search met them."""

    tags: list[str]
    removed: int
    found: bool


@dataclass(frozen=True, slots=True)
class CurateResult:
    """`files` were looked at, `removed` tags removed from them, the search met `found` of them."""

    step: Step
    files: int
    removed: int
    found: int


def curate_tags(tags: Sequence[str], options: CurateOptions) -> Curated:
    """Do to one file's tags what is asked, in the notebook's order: duplicates, sorting, removing, replacing, first.

    A tag that is there twice is removed once, as there. remove_duplicates keeps the order, which it did not there.
    """
    result = [plain_tag(tag) for tag in tags] if options.adjust_tags else list(tags)
    if options.remove_duplicates:
        result = list(dict.fromkeys(result))
    if options.sort_alphabetically:
        result.sort()
    removed = sum(_take(result, tag) for tag in options.remove_tags)
    found = _is_met(result, options)
    if found:
        _replace(result, options)
    for tag in reversed(options.global_activation_tag):
        _put_first(result, tag)
    if options.adjust_tags and options.weighted_captions:
        weight = options.activation_tag_weight
        result = weighted_tags(result, activation_tags=options.activation_tags, weight=weight)
    return Curated(result, removed, found)


def _is_met(tags: Sequence[str], options: CurateOptions) -> bool:
    """AND without search_tags meets every file, OR none, as in the notebook."""
    match = all if options.search_mode == "AND" else any
    return match(tag in tags for tag in options.search_tags)


def _replace(tags: list[str], options: CurateOptions) -> None:
    for tag in options.search_tags:
        _take(tags, tag)
    known = [tag for tag in options.replace_with if tag in options.search_tags]
    new = [tag for tag in reversed(options.replace_with) if tag not in options.search_tags]
    for tag in known:
        _put_last(tags, tag)
    for tag in new:
        if options.new_becomes_activation_tag:
            _put_first(tags, tag)
        else:
            _put_last(tags, tag)


def _take(tags: list[str], tag: str) -> int:
    if tag not in tags:
        return 0
    tags.remove(tag)
    return 1


def _put_first(tags: list[str], tag: str) -> None:
    _take(tags, tag)
    tags.insert(0, tag)


def _put_last(tags: list[str], tag: str) -> None:
    if tag not in tags:
        tags.append(tag)


def caption_files(folder: Path, extension: str, *, recursive: bool) -> list[Path]:
    """List caption files, sorted; hidden files and folders are left out. Raises DatasetError."""
    if not folder.is_dir():
        raise DatasetError("is no folder", where=str(folder), todo="make it with `kohya-wrap dataset new`")
    ending = with_dot(extension).lower()
    return [Path(text) for text in sorted(_walk(str(folder), ending, recursive=recursive))]


def _walk(folder: str, ending: str, *, recursive: bool) -> Iterator[str]:
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        for name in names:
            if name.lower().endswith(ending) and not name.startswith("."):
                yield f"{where}{os.sep}{name}"


def read_caption(path: Path) -> str | Problem:
    """Read a caption file, UTF-8 with or without a byte order mark, or say why it cannot be."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        return Problem(str(path), f"cannot be read: {error.strerror}", "check that you may read it")
    except UnicodeDecodeError as error:
        return Problem(str(path), f"is not UTF-8 (byte {error.start})", "save it as UTF-8 in your editor")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def curate(
    place: DatasetPlace, options: CurateOptions, *, only: frozenset[str] | None = None, dry_run: bool = False
) -> CurateResult:
    """Curate every caption file of a dataset, or those whose names are in `only`, in one step that can be undone.

    Files that cannot be read, or are not UTF-8, are all named before anything is changed. Raises DatasetError,
    OutputError, DiskFullError, ProjectBusyError.
    """
    with open_step(place, "curate", options.asked(), dry_run=dry_run) as step:
        paths = caption_files(place.folder, options.caption_extension, recursive=options.recursive)
        paths = [path for path in paths if only is None or path.name in only]
        problems: list[Problem] = []
        texts: list[tuple[Path, bytes]] = []
        removed = found = 0
        for path in paths:
            text = read_caption(path)
            if isinstance(text, Problem):
                problems.append(text)
                continue
            done = curate_tags(split_tags(text), options)
            removed, found = removed + done.removed, found + done.found
            if (curated := join_tags(done.tags)) != text:
                texts.append((path, curated.encode()))
        if problems:
            raise DatasetError.of(problems, what="not all caption files can be read; nothing was changed")
        for path, data in texts:
            step.write(path, data)
    return CurateResult(step, len(paths), removed, found)
