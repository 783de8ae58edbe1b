"""From a preset to a PreparedDataset: every folder, picture and caption looked at, nothing touched."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from kohya_wrap.config import TrainConfig
from kohya_wrap.dataset.custom import CustomDatasets, folder_of, parse_custom
from kohya_wrap.dataset.demo import PICTURES
from kohya_wrap.dataset.findings import accept, finding, names
from kohya_wrap.dataset.rules import RULE_KEYS, bucket_rules, fill_buckets, rule_findings, size_findings
from kohya_wrap.dataset.sources import Sources, named_sources
from kohya_wrap.dataset.subsets import FolderRules, scan
from kohya_wrap.dataset.types import DatasetGroup, Picture, PreparedDataset, Subset
from kohya_wrap.errors import Problem
from kohya_wrap.paths import ProjectPaths, expanded

_ENGINES_EXTENSION = ".caption"
_SUBSET_OWN = ("image_dir", "num_repeats", "is_reg", "class_tokens")


@dataclass(slots=True)
class _Work:
    """What is gathered on the way."""

    config: TrainConfig
    project: ProjectPaths
    findings: list[Problem] = field(default_factory=list)
    sources: Sources = field(default_factory=Sources)

    @property
    def as_it_is(self) -> bool:
        """Whether the engine reads a dataset file of the user's own, with nothing added."""
        return bool(self.config.extras.override_dataset_config_file)

    @property
    def extension(self) -> str:
        return _ENGINES_EXTENSION if self.as_it_is else self.config.processing.caption_extension


def prepare(config: TrainConfig, project: ProjectPaths) -> PreparedDataset:
    """Look at the dataset of a preset and give what the engine will make of it, with every finding at once.

    Relative paths start at the project's root. Nothing on disk is touched: what has to be copied is in `copies`.
    """
    work = _Work(config, project)
    work.findings += _archive(config, project.root)
    groups = _groups(work)
    has_captions = any(picture.caption for group in groups for subset in group.subsets for picture in subset.pictures)
    work.findings += _presence(work, groups, has_captions=has_captions)
    groups = tuple(_filled(work, group) for group in groups)
    return PreparedDataset(
        groups=groups,
        findings=accept(dict.fromkeys(work.findings), config.dataset.accept),
        copies=tuple(work.sources.copies),
        links=tuple(work.sources.links),
        has_captions=has_captions,
        builtin=project.dataset if work.sources.builtin else None,
    )


def _archive(config: TrainConfig, root: Path) -> Iterator[Problem]:
    given = config.extras.zip
    if given and not (root / expanded(given)).is_file():
        yield finding("source-missing", "extras.zip", f"{root / expanded(given)} is no file")


def _groups(work: _Work) -> tuple[DatasetGroup, ...]:
    extras = work.config.extras
    if extras.override_dataset_config_file:
        return _from_file(work, work.project.root / expanded(extras.override_dataset_config_file))
    if extras.custom_dataset:
        return _custom_groups(work, parse_custom(extras.custom_dataset, "extras.custom_dataset"))
    return (_group(work, {}, [_own_subset(work)], {}),)


def _own_subset(work: _Work) -> Subset:
    """Give the notebook's one subset: the project's dataset folder, as it will be once everything is copied."""
    folder, images = work.project.dataset, work.config.dataset.images
    if images:
        work.sources = named_sources(
            images,
            root=work.project.root,
            target=folder,
            extension=work.extension,
            keep_captions=work.config.dataset.curates or work.config.training.adjust_tags,
        )
        work.findings += work.sources.findings
    rules = FolderRules(folder, work.extension, tuple(work.sources.copies), may_be_empty=bool(images))
    scanned = scan(rules, work.config)
    work.findings += scanned.findings
    known = {picture.path for picture in scanned.pictures}
    drawn = _builtin_pictures(folder, work.extension) if work.sources.builtin else ()
    every = (*scanned.pictures, *(picture for picture in drawn if picture.path not in known))
    return Subset(folder, work.config.steps.num_repeats, tuple(sorted(every, key=lambda picture: picture.path)))


def _builtin_pictures(folder: Path, extension: str) -> tuple[Picture, ...]:
    paths = [(folder / each.name, each.size) for each in PICTURES]
    return tuple(
        Picture(path, path, *size, caption=path.with_suffix(".txt") if extension == ".txt" else None)
        for path, size in paths
    )


def _presence(work: _Work, groups: tuple[DatasetGroup, ...], *, has_captions: bool) -> Iterator[Problem]:
    """Say which pictures would be trained with an empty caption, or with the project's name.

    The name stands in where no picture of the whole dataset has a caption, but not in a file that is used as it is.
    """
    subsets = [subset for group in groups for subset in group.subsets if subset.pictures and not subset.class_tokens]
    named = not has_captions and not work.as_it_is
    if subsets and named and work.extension:
        yield finding("no-captions", subsets[0].image_dir, "holds no caption file")
    for subset in subsets:
        missing = [picture.source for picture in subset.pictures if not picture.caption]
        if missing and not named:
            what = f"{names(missing)} {'has' if len(missing) == 1 else 'have'} no caption"
            yield finding("caption-missing", subset.image_dir, what)


def _from_file(work: _Work, path: Path) -> tuple[DatasetGroup, ...]:
    where = "extras.override_dataset_config_file"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        work.findings.append(finding("custom-dataset", where, f"{path} cannot be read: {error}"))
        return ()
    return _custom_groups(work, parse_custom(text, str(path), with_general=True), bare=True)


def _custom_groups(work: _Work, custom: CustomDatasets, *, bare: bool = False) -> tuple[DatasetGroup, ...]:
    """Give a group for each [[datasets]] table; `bare`: the engine's defaults count, the file is used as it is."""
    work.findings += custom.findings
    if any(problem.code != "not-yet" for problem in custom.findings):
        return ()
    groups = []
    for table in custom.tables:
        merged = {**custom.general, **table}
        seen: set[Path] = set()
        subsets = [_custom_subset(work, subset, merged, seen) for subset in _subset_tables(table)]
        groups.append(_group(work, merged, subsets, _options(table), bare=bare))
    named = {str(subset.image_dir) for group in groups for subset in group.subsets}
    work.findings = [each for each in work.findings if not (each.code == "sub-folder" and each.where in named)]
    work.findings += _shared_caches(work.config, groups)
    return tuple(groups)


def _subset_tables(table: Mapping[str, object]) -> list[Mapping[str, object]]:
    subsets = table.get("subsets", [])
    return [each for each in subsets if isinstance(each, dict)] if isinstance(subsets, list) else []


def _options(table: Mapping[str, object]) -> dict[str, object]:
    own = ("subsets", "resolution", "batch_size", *RULE_KEYS)
    return {key: value for key, value in table.items() if key not in own}


def _custom_subset(work: _Work, table: Mapping[str, object], dataset: Mapping[str, object], seen: set[Path]) -> Subset:
    merged = {**dataset, **table}
    folder = folder_of(table, work.project.root)
    if folder.resolve() in seen:
        work.findings.append(finding("folder-twice", folder, "is named by two subsets; the engine uses the first"))
    seen.add(folder.resolve())
    for key in ("color_aug", "random_crop"):
        if merged.get(key) is True and work.config.engine.cache_latents:
            what = f"{key} cannot go with cached latents: set engine.cache_latents = false"
            work.findings.append(finding("custom-dataset", folder, what))
    rules = FolderRules(
        folder,
        str(merged.get("caption_extension", work.extension)),
        is_reg=table.get("is_reg") is True,
        alpha_mask=merged.get("alpha_mask") is True,
        all_lines=merged.get("enable_wildcard") is True,
    )
    scanned = scan(rules, work.config)
    work.findings += scanned.findings
    repeats, tokens = merged.get("num_repeats", 1), merged.get("class_tokens")
    return Subset(
        image_dir=folder,
        num_repeats=repeats if isinstance(repeats, int) else 1,
        pictures=scanned.pictures,
        is_reg=rules.is_reg,
        class_tokens=tokens if isinstance(tokens, str) else None,
        options={key: value for key, value in table.items() if key not in _SUBSET_OWN},
    )


def _shared_caches(config: TrainConfig, groups: list[DatasetGroup]) -> Iterator[Problem]:
    """Say which folders are in two datasets whose latents would be written over each other's."""
    if config.sd_scripts.get("cache_latents_to_disk") is not True:
        return
    rules_of: dict[Path, tuple[object, ...]] = {}
    for group in groups:
        rules = (group.rules.resolution, *(getattr(group.rules, key) for key in RULE_KEYS))
        for subset in group.subsets:
            if rules_of.setdefault(subset.image_dir, rules) != rules:
                yield finding("shared-cache", subset.image_dir, "is in two datasets of different resolution or buckets")


def _group(
    work: _Work,
    table: Mapping[str, object],
    subsets: list[Subset],
    options: Mapping[str, object],
    *,
    bare: bool = False,
) -> DatasetGroup:
    rules = bucket_rules(work.config, table, bare=bare)
    work.findings += rule_findings(rules)
    pictures = [picture for subset in subsets for picture in subset.pictures]
    work.findings += size_findings(pictures, rules, cached=work.config.engine.cache_latents)
    return DatasetGroup(rules=rules, subsets=tuple(subsets), buckets=(), options=options)


def _filled(work: _Work, group: DatasetGroup) -> DatasetGroup:
    buckets, dropped = fill_buckets(group)
    if dropped:
        reg = next(subset for subset in group.subsets if subset.is_reg)
        work.findings.append(finding("reg-dropped", reg.image_dir, f"{dropped} pictures are not used"))
    return replace(group, buckets=buckets)
