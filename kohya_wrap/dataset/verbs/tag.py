"""tag: captions by a WD tagger. Source: the Dataset Maker's "Tag your images", which ran sd-scripts' tagger."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kohya_wrap.dataset.captions import caption_of
from kohya_wrap.dataset.findings import finding
from kohya_wrap.dataset.history import DatasetPlace, Step, open_step
from kohya_wrap.dataset.tag_text import join_tags, split_tags
from kohya_wrap.dataset.taggers import Fetch, Tagger, compared, open_taggers, written
from kohya_wrap.dataset.verbs.parallel import Report, in_threads, no_report
from kohya_wrap.dataset.verbs.reading import UNREADABLE, flattened, opened
from kohya_wrap.errors import DatasetError, Problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLACKLIST = (
    "virtual youtuber",
    "parody",
    "style parody",
    "official alternate costume",
    "official alternate hairstyle",
    "official alternate hair length",
    "alternate costume",
    "alternate hairstyle",
    "alternate hair length",
    "alternate hair color",
)
"""The notebook's own."""
_TOP = 50


@dataclass(frozen=True, slots=True)
class TagOptions:
    """As in the notebook. `character_threshold` None: tag_threshold with include_character_names, else no characters.

    `append`: tags that a caption has stay, first; otherwise they are replaced. `blacklist_tags` with spaces or
    underscores.
    """

    tagger: str = "both"
    tag_threshold: float = 0.25
    character_threshold: float | None = None
    include_character_names: bool = False
    blacklist_tags: tuple[str, ...] = BLACKLIST
    append: bool = False
    recursive: bool = False
    caption_extension: str = ".txt"
    batch_size: int = 8


@dataclass(frozen=True, slots=True)
class Tagged:
    """What was done. `top`: the 50 tags that most pictures have. `providers`: what each tagger ran on."""

    step: Step
    pictures: int
    top: tuple[tuple[str, int], ...]
    providers: dict[str, str]
    unreadable: tuple[Problem, ...] = ()


def tag(
    place: DatasetPlace,
    options: TagOptions,
    *,
    fetch: Fetch,
    only: frozenset[str] | None = None,
    dry_run: bool = False,
    report: Report = no_report,
) -> Tagged:
    """Write a caption for every picture, by one or more taggers; a picture that cannot be read keeps what it has.

    `only`: names of the pictures that are meant; None: all.

    A dry run looks at the pictures too, and writes nothing. Raises DatasetError, OutputError, ProjectBusyError, and
    what `fetch` raises.
    """
    _check(options)
    pictures = [p for p in place.pictures(recursive=options.recursive) if only is None or p.name in only]
    if not pictures:
        raise DatasetError("has no pictures", where=str(place.folder), todo="put some in, or use --recursive")
    with open_step(place, "tag", asdict(options), dry_run=dry_run) as step:
        taggers = open_taggers(options.tagger, fetch)
        choosers = [_Chooser(tagger, options) for tagger in taggers]
        counts: Counter[str] = Counter()
        captions: dict[Path, list[str]] = {}
        unreadable = []
        for path, tags in _looked_at(pictures, choosers, options.batch_size, report):
            if isinstance(tags, Problem):
                unreadable.append(tags)
                continue
            caption = caption_of(path, options.caption_extension)
            # A picture whose stem an earlier one has shares its caption.
            before = captions.get(caption, _tags_in(caption) if options.append else [])
            captions[caption] = _joined(before, tags)
            step.write(caption, join_tags(captions[caption]))
        for all_tags in captions.values():
            counts.update(set(all_tags))
    providers = {tagger.name: tagger.provider for tagger in taggers}
    return Tagged(step, len(pictures) - len(unreadable), tuple(counts.most_common(_TOP)), providers, tuple(unreadable))


def _check(options: TagOptions) -> None:
    for name in ("tag_threshold", "character_threshold"):
        value = getattr(options, name)
        if value is not None and not 0 <= value <= 1:
            raise DatasetError(f"{value} is not from 0 to 1", where=name, todo="0.25 for concepts, 0.5 for styles")
    if options.batch_size < 1:
        raise DatasetError(f"{options.batch_size} is less than 1", where="batch_size", todo="give 1 or more")


class _Chooser:
    """Chooses what of a tagger's answer becomes a tag; in the order of its list, as sd-scripts has it."""

    def __init__(self, tagger: Tagger, options: TagOptions) -> None:
        import numpy as np  # noqa: PLC0415 - 0.1 s to import

        self.tagger = tagger
        self._names = [written(label.name) for label in tagger.labels]
        unwanted = {compared(tag) for tag in options.blacklist_tags}
        character = options.character_threshold
        if character is None and options.include_character_names:
            character = options.tag_threshold
        least = {"general": options.tag_threshold, "character": np.inf if character is None else character}
        self._least = np.array(
            [
                np.inf if compared(label.name) in unwanted else least.get(label.category, np.inf)
                for label in tagger.labels
            ]
        )

    def tags(self, batch: "list[NDArray[Any]]") -> list[list[str]]:
        """Give the tags of each picture."""
        import numpy as np  # noqa: PLC0415 - as above

        chosen = self.tagger.probabilities(batch) >= self._least
        return [[self._names[at] for at in np.flatnonzero(row)] for row in chosen]


Prepared = dict[str, "NDArray[np.uint8]"]


def _looked_at(
    pictures: Sequence[Path], choosers: Sequence[_Chooser], batch_size: int, report: Report
) -> Iterator[tuple[Path, list[str] | Problem]]:
    """Give each picture's tags, by all taggers; the next batch is decoded while the models work on this one."""

    def prepare(path: Path) -> tuple[Path, Prepared | Problem]:
        return path, _prepared(path, choosers)

    made = in_threads(prepare, pictures, label="tagging", report=report)
    while batch := list(islice(made, batch_size)):
        arrays = [array for _, array in batch if not isinstance(array, Problem)]
        tags = [[] for _ in arrays] if not arrays else _by_all(arrays, choosers)
        answers = iter(tags)
        yield from ((path, made if isinstance(made, Problem) else next(answers)) for path, made in batch)


def _by_all(arrays: list[Prepared], choosers: Sequence[_Chooser]) -> list[list[str]]:
    found: list[list[str]] = [[] for _ in arrays]
    for chooser in choosers:
        more = chooser.tags([array[chooser.tagger.input_key] for array in arrays])
        found = [_joined(before, new) for before, new in zip(found, more, strict=True)]
    return found


def _prepared(path: Path, choosers: Sequence[_Chooser]) -> Prepared | Problem:
    arrays: Prepared = {}
    try:
        with opened(path) as image:
            flat = flattened(image, "white")
            for chooser in choosers:
                if chooser.tagger.input_key not in arrays:
                    arrays[chooser.tagger.input_key] = chooser.tagger.prepare(flat)
    except UNREADABLE as error:
        return finding("not-a-picture", path, f"cannot be read: {str(error)[:100]}")
    return arrays


def _joined(before: Sequence[str], new: Sequence[str]) -> list[str]:
    known = {compared(tag) for tag in before}
    return [*before, *(tag for tag in new if compared(tag) not in known)]


def _tags_in(caption: Path) -> list[str]:
    try:
        return split_tags(caption.read_text(encoding="utf-8-sig")) if caption.is_file() else []
    except UnicodeDecodeError as error:
        raise DatasetError(
            "is not UTF-8", where=str(caption), todo="save it as UTF-8, or leave --append out"
        ) from error
