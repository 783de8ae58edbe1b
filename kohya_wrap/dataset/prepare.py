"""From a preset to a PreparedDataset: every folder, picture and caption looked at, nothing touched."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from kohya_wrap.config import TrainConfig
from kohya_wrap.dataset.buckets import assign_buckets, balanced_repeats
from kohya_wrap.dataset.captions import caption_findings, caption_of, presence_findings
from kohya_wrap.dataset.custom import CustomDatasets, folder_of, parse_custom
from kohya_wrap.dataset.demo import PICTURES
from kohya_wrap.dataset.findings import accept, finding
from kohya_wrap.dataset.folder import Listing, list_folder, listing_findings
from kohya_wrap.dataset.pictures import cache_findings, look_at
from kohya_wrap.dataset.sources import Sources, named_sources
from kohya_wrap.dataset.types import Bucket, BucketRules, DatasetGroup, Picture, PreparedDataset, Subset
from kohya_wrap.errors import Problem
from kohya_wrap.paths import ProjectPaths

_RULE_KEYS = ("enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale")
_SUBSET_OWN = ("image_dir", "num_repeats", "is_reg", "class_tokens")


@dataclass(slots=True)
class _Work:
    """What is gathered on the way."""

    config: TrainConfig
    project: ProjectPaths
    findings: list[Problem] = field(default_factory=list)

    @property
    def extension(self) -> str:
        return self.config.processing.caption_extension


def prepare(config: TrainConfig, project: ProjectPaths) -> PreparedDataset:
    """Look at the dataset of a preset and give what the engine will make of it, with every finding at once.

    Relative paths start at the project's root. Nothing on disk is touched: what has to be copied is in `copies`.
    """
    work = _Work(config, project)
    work.findings += _not_yet(config)
    override = config.extras.override_dataset_config_file
    sources = Sources()
    if override:
        groups = _from_file(work, project.root / Path(override).expanduser())
    elif config.extras.custom_dataset:
        groups = _custom_groups(work, parse_custom(config.extras.custom_dataset, "extras.custom_dataset"))
    else:
        sources = _sources(work)
        groups = (_group(work, {}, [_own_subset(work, sources)], {}),)
    has_captions = bool(work.extension) and _any_caption(groups, sources)
    if work.extension and not has_captions and any(group.subsets for group in groups):
        work.findings.append(finding("no-captions", project.dataset, "holds no caption file"))
    groups = tuple(replace(group, buckets=_buckets(work, group)) for group in groups)
    return PreparedDataset(
        groups=groups,
        findings=accept(work.findings, config.dataset.accept),
        copies=tuple(sources.copies),
        has_captions=has_captions,
        builtin=project.dataset if sources.builtin else None,
    )


def _not_yet(config: TrainConfig) -> Iterator[Problem]:
    if config.extras.zip:
        yield finding("not-yet", "extras.zip", "archives are not unpacked by a run")
    if config.training.adjust_tags:
        yield finding("not-yet", "training.adjust_tags", "captions are not rewritten by a run")


def _sources(work: _Work) -> Sources:
    images = work.config.dataset.images
    if not images:
        return Sources()
    project = work.project
    sources = named_sources(images, root=project.root, target=project.dataset, extension=work.extension)
    work.findings += sources.findings
    return sources


def _own_subset(work: _Work, sources: Sources) -> Subset:
    """Give the notebook's one subset: the project's dataset folder, as it will be once everything is copied."""
    folder = work.project.dataset
    repeats = work.config.steps.num_repeats
    coming = tuple(copy for copy in sources.copies)
    pictures = _folder_pictures(work, folder, optional=bool(work.config.dataset.images))
    arriving = {copy.target: copy.source for copy in coming}
    new = [source for source in sources.pictures if folder / source.name in arriving]
    looked = _pictures(work, Listing(folder, pictures=tuple(new)), target=folder)
    drawn = _builtin_pictures(folder) if sources.builtin else ()
    known = {picture.path for picture in pictures}
    every = (*pictures, *looked, *(picture for picture in drawn if picture.path not in known))
    return Subset(folder, repeats, tuple(sorted(every, key=lambda picture: picture.path)))


def _builtin_pictures(folder: Path) -> tuple[Picture, ...]:
    return tuple(
        Picture(folder / each.name, folder / each.name, *each.size, caption=(folder / each.name).with_suffix(".txt"))
        for each in PICTURES
    )


def _folder_pictures(work: _Work, folder: Path, *, optional: bool = False) -> tuple[Picture, ...]:
    """Look at a folder as it is. `optional`: it may be missing or empty, because pictures are about to come."""
    if not folder.is_dir():
        if not optional:
            what = "is no folder" if folder.exists() else "does not exist"
            work.findings.append(finding("folder-missing", folder, what))
        return ()
    try:
        listing = list_folder(folder)
    except OSError as error:
        work.findings.append(finding("folder-unreadable", folder, f"cannot be read: {error.strerror}"))
        return ()
    work.findings += listing_findings(listing)
    if not listing.pictures and not optional:
        work.findings.append(finding("folder-empty", folder, "holds no picture that the engine reads"))
    return _pictures(work, listing, target=folder)


def _pictures(work: _Work, listing: Listing, *, target: Path) -> tuple[Picture, ...]:
    """Look at every picture of a listing and its caption; `target`: where the engine will read them."""
    looks = look_at(listing.pictures)
    captions: dict[Path, Path | None] = {}
    pictures = []
    for path, look in zip(listing.pictures, looks, strict=True):
        work.findings += look.findings
        caption = caption_of(path, work.extension) if work.extension else None
        captions[path] = caption if caption and caption.is_file() else None
        work.findings += cache_findings(path, (look.width, look.height), listing.caches)
        if look.width:
            pictures.append(Picture(target / path.name, path, look.width, look.height, captions[path]))
    if work.extension:
        _check_captions(work, listing, captions)
    return tuple(pictures)


def _check_captions(work: _Work, listing: Listing, captions: Mapping[Path, Path | None]) -> None:
    work.findings += presence_findings(listing.folder, captions)
    work.findings += caption_findings(
        sorted({caption for caption in captions.values() if caption}),
        max_tokens=work.config.training.max_token_length,
        activation_tag=work.config.dataset.activation_tag,
    )
    stems = {path.stem for path in captions}
    for orphan in (path for path in listing.captions if path.stem not in stems):
        work.findings.append(finding("caption-orphan", orphan, "belongs to no picture"))


def _any_caption(groups: tuple[DatasetGroup, ...], sources: Sources) -> bool:
    pictures = (picture for group in groups for subset in group.subsets for picture in subset.pictures)
    return sources.builtin or any(picture.caption is not None for picture in pictures)


def _from_file(work: _Work, path: Path) -> tuple[DatasetGroup, ...]:
    where = "extras.override_dataset_config_file"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        work.findings.append(finding("custom-dataset", where, f"{path} cannot be read: {error}"))
        return ()
    return _custom_groups(work, parse_custom(text, str(path), with_general=True))


def _custom_groups(work: _Work, custom: CustomDatasets) -> tuple[DatasetGroup, ...]:
    work.findings += custom.findings
    if any(problem.severity == "error" for problem in custom.findings):
        return ()
    seen: set[Path] = set()
    groups = []
    for table in custom.tables:
        merged = {**custom.general, **table}
        subsets = [_custom_subset(work, subset, merged, seen) for subset in _subset_tables(table)]
        groups.append(_group(work, merged, subsets, _options(table)))
    return tuple(groups)


def _subset_tables(table: Mapping[str, object]) -> list[Mapping[str, object]]:
    subsets = table.get("subsets", [])
    return [each for each in subsets if isinstance(each, dict)] if isinstance(subsets, list) else []


def _options(table: Mapping[str, object]) -> dict[str, object]:
    own = ("subsets", "resolution", "batch_size", *_RULE_KEYS)
    return {key: value for key, value in table.items() if key not in own}


def _custom_subset(work: _Work, table: Mapping[str, object], dataset: Mapping[str, object], seen: set[Path]) -> Subset:
    folder = folder_of(table, work.project.root)
    if folder.resolve() in seen:
        work.findings.append(finding("folder-twice", folder, "is named by two subsets; the engine uses the first"))
    seen.add(folder.resolve())
    repeats = table.get("num_repeats", dataset.get("num_repeats", 1))
    tokens = table.get("class_tokens")
    return Subset(
        image_dir=folder,
        num_repeats=repeats if isinstance(repeats, int) else 1,
        pictures=_folder_pictures(work, folder),
        is_reg=table.get("is_reg") is True,
        class_tokens=tokens if isinstance(tokens, str) else None,
        options={key: value for key, value in table.items() if key not in _SUBSET_OWN},
    )


def _group(
    work: _Work, table: Mapping[str, object], subsets: list[Subset], options: Mapping[str, object]
) -> DatasetGroup:
    rules = bucket_rules(work.config, table)
    work.findings += _rule_findings(rules)
    pictures = [picture for subset in subsets for picture in subset.pictures]
    work.findings += _size_findings(pictures, rules)
    return DatasetGroup(rules=rules, subsets=tuple(subsets), buckets=(), options=options)


def bucket_rules(config: TrainConfig, table: Mapping[str, object] | None = None) -> BucketRules:
    """Give the bucket rules of a preset, or of one [[datasets]] table of a custom dataset.

    The notebook's limits are 256 to 1024, or 320 to 1280 above a resolution of 640; a resolution below 256, which the
    notebook does not offer, lowers the lower limit to itself, because the engine refuses it otherwise.
    """
    given = dict(table or {})
    value = given.get("resolution", config.processing.resolution)
    resolution = _pair(value, config.processing.resolution)
    large = max(resolution) > 640
    rules = BucketRules(
        resolution=resolution,
        batch_size=config.steps.train_batch_size,
        min_bucket_reso=min(320 if large else 256, *resolution),
        max_bucket_reso=max(1280 if large else 1024, *resolution),
    )
    named = {key: given[key] for key in _RULE_KEYS if key in given}
    batch_size = given.get("batch_size")
    if isinstance(batch_size, int):
        named["batch_size"] = batch_size
    return replace(rules, **named)  # type: ignore[arg-type]  # types are the engine's schema's, checked there


def _pair(value: object, default: int) -> tuple[int, int]:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(each, int) for each in value):
        return value[0], value[1]
    side = value if isinstance(value, int) else default
    return side, side


def _rule_findings(rules: BucketRules) -> Iterator[Problem]:
    if not rules.enable_bucket:
        return
    if rules.min_bucket_reso > min(rules.resolution):
        yield finding("bucket-limits", "min_bucket_reso", f"{rules.min_bucket_reso} is above the resolution")
    if rules.max_bucket_reso < max(rules.resolution):
        yield finding("bucket-limits", "max_bucket_reso", f"{rules.max_bucket_reso} is below the resolution")


def _size_findings(pictures: list[Picture], rules: BucketRules) -> Iterator[Problem]:
    area = rules.resolution[0] * rules.resolution[1]
    for picture in pictures:
        size = f"is {picture.width}x{picture.height} pixels"
        if rules.bucket_no_upscale and min(picture.width, picture.height) < rules.bucket_reso_steps:
            yield finding("too-small", picture.source, size)
        elif not rules.bucket_no_upscale and picture.width * picture.height < area:
            yield finding("upscaled", picture.source, f"{size}, and is trained at {rules.resolution[0]}")


def _buckets(work: _Work, group: DatasetGroup) -> tuple[Bucket, ...]:
    if group.rules.min_bucket_reso > min(group.rules.resolution):
        return ()
    train = [subset for subset in group.subsets if not subset.is_reg]
    reg = [subset for subset in group.subsets if subset.is_reg]
    entries = [((p.width, p.height), subset.num_repeats) for subset in train for p in subset.pictures]
    reg_entries = [((p.width, p.height), subset.num_repeats) for subset in reg for p in subset.pictures]
    used = balanced_repeats(sum(repeats for _, repeats in entries), [repeats for _, repeats in reg_entries])
    if dropped := used.count(0):
        work.findings.append(finding("reg-dropped", reg[0].image_dir, f"{dropped} pictures are not used"))
    entries += [(size, repeats) for (size, _), repeats in zip(reg_entries, used, strict=True)]
    steps = group.rules.bucket_reso_steps
    usable = [entry for entry in entries if not group.rules.bucket_no_upscale or min(entry[0]) >= steps]
    return assign_buckets(usable, group.rules)
