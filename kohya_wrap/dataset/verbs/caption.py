"""caption: a sentence for each picture. Source: the Dataset Maker's "Tag your images", for photos."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from kohya_wrap.dataset.captioning import BlipOptions, Captioner
from kohya_wrap.dataset.captions import caption_of
from kohya_wrap.dataset.findings import finding
from kohya_wrap.dataset.history import DatasetPlace, Step, open_step
from kohya_wrap.dataset.verbs.parallel import Report, no_report
from kohya_wrap.errors import DatasetError, Problem


@dataclass(frozen=True, slots=True)
class CaptionOptions:
    """`there`: what becomes of a caption that is there: it is replaced, gets the sentence behind it, or is kept.

    `prefix`: what each sentence begins with, such as an activation tag. `model`: for the history only.
    """

    model: str = ""
    there: Literal["replace", "append", "keep"] = "replace"
    prefix: str = ""
    recursive: bool = False
    caption_extension: str = ".txt"
    blip: BlipOptions = field(default_factory=BlipOptions)


@dataclass(frozen=True, slots=True)
class Captioned:
    """What was done. `captions`: by picture. `device`: what ran. `kept`: pictures whose caption was left alone."""

    step: Step
    captions: dict[Path, str]
    device: str
    kept: int = 0
    unreadable: tuple[Problem, ...] = ()


def caption(
    place: DatasetPlace,
    options: CaptionOptions,
    *,
    captioner: Captioner,
    only: frozenset[str] | None = None,
    dry_run: bool = False,
    report: Report = no_report,
) -> Captioned:
    """Write a caption for every picture; one that cannot be read keeps what it has. `only`: those of these names.

    A dry run looks at the pictures too, and writes nothing. Each caption is written as it comes, so that what is there
    stays when it is stopped. Raises DatasetError, OutputError, ProjectBusyError, and what `captioner` raises.
    """
    _check(options.blip)
    pictures = [p for p in place.pictures(recursive=options.recursive) if only is None or p.name in only]
    if not pictures:
        raise DatasetError("has no pictures", where=str(place.folder), todo="put some in, or use --recursive")
    wanted = [path for path in pictures if options.there != "keep" or not _text_in(_file(path, options))]
    captions: dict[Path, str] = {}
    unreadable: list[Problem] = []
    device = ""
    with open_step(place, "caption", asdict(options), dry_run=dry_run) as step:

        def take(path: Path, said: str, why: str) -> None:
            if why:
                unreadable.append(finding("not-a-picture", path, f"cannot be read: {why}"))
            else:
                captions[path] = _written(said, path, options)
                step.write(_file(path, options), captions[path])
            report("captioning", len(captions) + len(unreadable), len(wanted))

        if wanted:
            report("captioning", 0, len(wanted))
            device = captioner(wanted, options.blip, on_caption=take)
    return Captioned(step, captions, device, len(pictures) - len(wanted), tuple(unreadable))


def _check(blip: BlipOptions) -> None:
    problems = [
        Problem(name, f"{getattr(blip, name)} is less than 1", "give 1 or more")
        for name in ("caption_min", "caption_max", "num_beams", "batch_size")
        if getattr(blip, name) < 1
    ]
    if blip.caption_min > blip.caption_max:
        what = f"{blip.caption_min} is more than caption_max, {blip.caption_max}"
        problems.append(Problem("caption_min", what, "10 and 75 are usual"))
    if problems:
        raise DatasetError.of(problems)


def _file(path: Path, options: CaptionOptions) -> Path:
    return caption_of(path, options.caption_extension)


def _written(said: str, path: Path, options: CaptionOptions) -> str:
    before = _text_in(_file(path, options)) if options.there == "append" else ""
    return ", ".join(part for part in (options.prefix if not before else "", before, said) if part)


def _text_in(caption: Path) -> str:
    try:
        return caption.read_text(encoding="utf-8-sig").strip() if caption.is_file() else ""
    except UnicodeDecodeError as error:
        todo = "save it as UTF-8, or let it be replaced"
        raise DatasetError("is not UTF-8", where=str(caption), todo=todo) from error
