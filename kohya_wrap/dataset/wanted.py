"""Which steps of [dataset] are still to be done for which pictures, and what was done before.

history/preset.json      step -> what it was asked -> pictures it was done for, by name, size and time
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from kohya_wrap.config import DatasetConfig, TrainConfig
from kohya_wrap.dataset.captions import caption_of
from kohya_wrap.dataset.folder import Listing, try_listing
from kohya_wrap.dataset.types import PreparedDataset, RemotePicture
from kohya_wrap.dataset.verbs.curate import CurateOptions
from kohya_wrap.dataset.verbs.expand.boxes import parse_box
from kohya_wrap.dataset.verbs.expand.options import ExpandOptions
from kohya_wrap.dataset.verbs.expand.run import is_variant
from kohya_wrap.dataset.verbs.tag import BLACKLIST, TagOptions
from kohya_wrap.errors import Problem
from kohya_wrap.files import write_whole
from kohya_wrap.paths import ProjectPaths, expanded

StepName = Literal["unpack", "expand", "curate"]
CURED = frozenset({"folder-missing", "folder-empty", "no-captions", "caption-missing", "activation-tag"})
"""Findings that are no longer true when the steps have been done; looked for again then."""


@dataclass(frozen=True, slots=True)
class Unpack:
    """An archive and the folder it is unpacked into."""

    file: Path
    folder: Path


@dataclass(frozen=True, slots=True)
class Wanted:
    """Steps that a run will do first. `archive`: extras.zip; `caption`, `tag`, `expand`, `curate`: names of pictures,
    of those to come, too."""

    archive: Unpack | None = None
    links: tuple[RemotePicture, ...] = ()
    caption: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    expand: tuple[str, ...] = ()
    curate: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.archive or self.links or self.caption or self.tag or self.expand or self.curate)

    def cures(self, problem: Problem) -> bool:
        """Whether a finding is about what these steps bring."""
        return (
            bool(self)
            and problem.code in CURED
            and (problem.code not in {"folder-missing", "folder-empty"} or bool(self.links or self.archive))
        )

    def lines(self, config: DatasetConfig) -> list[str]:
        """Say what will be done, a line each."""
        said = [f"unpack {self.archive.file}"] if self.archive else []
        said += [f"fetch {link.url}" for link in self.links]
        if self.caption:
            said.append(f"write a sentence for {_count(self.caption)} without a caption by {config.captioner}")
        if self.tag:
            said.append(f"tag {_count(self.tag)} without a caption by {config.tagger}")
        if self.expand:
            said.append(f"make the mirror image and a face crop of {_count(self.expand)}")
        if self.curate:
            first = f", {config.activation_tag} first" if config.activation_tag else ""
            said.append(f"curate the captions of {_count(self.curate)}{first}")
        return said


def _count(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} pictures"


@dataclass(slots=True)
class Done:
    """What the steps of a preset were done for, so that they are not done twice."""

    file: Path
    entries: dict[str, dict[str, dict[str, list[int]]]] = field(default_factory=dict)

    @classmethod
    def read(cls, project: ProjectPaths) -> "Done":
        """Read what is known; a file that cannot be read knows nothing."""
        file = project.history / "preset.json"
        try:
            return cls(file, json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return cls(file)

    def lacks(self, step: StepName, options: object, pictures: Iterable[Path]) -> tuple[str, ...]:
        """Give the names of those pictures for which the step was not done as it is asked now."""
        known = self.entries.get(step, {}).get(_fingerprint(options), {})
        return tuple(path.name for path in pictures if path.name not in known or known[path.name] != _state(path))

    def add(self, step: StepName, options: object, pictures: Iterable[Path]) -> None:
        """Note that a step was done. Raises OutputError."""
        known = self.entries.setdefault(step, {}).setdefault(_fingerprint(options), {})
        known.update({path.name: _state(path) for path in pictures})
        write_whole(self.file, json.dumps(self.entries, ensure_ascii=False, indent=1) + "\n")


def _fingerprint(options: object) -> str:
    text = json.dumps(asdict(options), sort_keys=True, default=str)  # type: ignore[call-overload]  # a dataclass
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _state(path: Path) -> list[int]:
    try:
        state = path.stat()
    except OSError:
        return []
    return [state.st_size, state.st_mtime_ns]


def wanted_steps(config: TrainConfig, project: ProjectPaths, prepared: PreparedDataset) -> Wanted:
    """Say which steps are still to be done for a prepared dataset. Reads names and times only."""
    table = config.dataset
    done = Done.read(project)
    archive = _archive(config, project, done)
    own_files = config.extras.custom_dataset or config.extras.override_dataset_config_file
    if own_files or not (prepared.links or table.captioner or table.tagger or table.expand or rewrites(config)):
        return Wanted(archive=archive)
    listing = try_listing(project.dataset)
    here = list(listing.pictures) if isinstance(listing, Listing) else []
    copied = {copy.target for copy in prepared.copies}
    pictures = sorted({*here, *(p.path for p in prepared.pictures), *(link.target for link in prepared.links)})
    extension = config.processing.caption_extension
    untagged = [
        p for p in pictures if caption_of(p, extension) not in copied and not caption_of(p, extension).is_file()
    ]
    kinds = ExpandOptions().kinds()
    stems = {(path.parent, path.stem) for path in pictures}
    originals = [path for path in pictures if not is_variant(path, stems, kinds)]
    return Wanted(
        archive=archive,
        links=prepared.links,
        caption=tuple(path.name for path in untagged) if table.captioner and extension else (),
        tag=tuple(path.name for path in untagged) if table.tagger and not table.captioner and extension else (),
        expand=done.lacks("expand", expand_options(config), originals) if table.expand else (),
        curate=done.lacks("curate", curate_options(config), pictures) if rewrites(config) and extension else (),
    )


def rewrites(config: TrainConfig) -> bool:
    """Whether captions are to be rewritten before the run."""
    return config.dataset.curates or config.training.adjust_tags


def _archive(config: TrainConfig, project: ProjectPaths, done: Done) -> Unpack | None:
    extras = config.extras
    if not extras.zip:
        return None
    folder = project.root / expanded(extras.extract_to) if extras.extract_to else project.dataset
    asked = Unpack(project.root / expanded(extras.zip), folder)
    return asked if asked.file.is_file() and done.lacks("unpack", asked, [asked.file]) else None


def tag_options(config: TrainConfig) -> TagOptions:
    """Give what the preset asks of the tagger."""
    table = config.dataset
    return TagOptions(
        tagger=table.tagger,
        tag_threshold=table.tag_threshold,
        include_character_names=table.include_character_names,
        blacklist_tags=table.blacklist_tags or BLACKLIST,
        caption_extension=config.processing.caption_extension,
    )


def expand_options(config: TrainConfig) -> ExpandOptions:
    """Give what the preset asks of expand. Raises DatasetError where crop_box is none."""
    table = config.dataset
    return ExpandOptions(
        boxes=(replace(parse_box(table.crop_box), name="face"),) if table.crop_box else (),
        crop_drops=table.crop_drops,
        num_repeats=config.steps.num_repeats,
        caption_extension=config.processing.caption_extension,
    )


def curate_options(config: TrainConfig) -> CurateOptions:
    """Give what the preset asks of the captions."""
    table = config.dataset
    return CurateOptions(
        global_activation_tag=(table.activation_tag,) if table.activation_tag else (),
        remove_tags=table.remove_tags,
        search_tags=table.search_tags,
        replace_with=table.replace_with,
        search_mode=table.search_mode,
        new_becomes_activation_tag=table.new_becomes_activation_tag,
        sort_alphabetically=table.sort_alphabetically,
        remove_duplicates=table.remove_duplicates,
        adjust_tags=config.training.adjust_tags,
        weighted_captions=config.training.weighted_captions,
        activation_tag_weight=config.training.activation_tag_weight,
        activation_tags=config.processing.activation_tags,
        caption_extension=config.processing.caption_extension,
        recursive=False,
    )
