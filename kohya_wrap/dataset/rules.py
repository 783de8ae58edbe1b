"""How pictures are put into buckets: the rules of a preset or of one [[datasets]] table, and what breaks them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from kohya_wrap.config import TrainConfig
from kohya_wrap.dataset.buckets import assign_buckets, balanced_repeats, bucket_of, limits
from kohya_wrap.dataset.findings import finding, names
from kohya_wrap.dataset.types import Bucket, BucketRules, DatasetGroup, Picture, Subset
from kohya_wrap.errors import Problem
from kohya_wrap.families import FAMILIES, Family

RULE_KEYS = ("enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale")


def bucket_rules(config: TrainConfig, table: Mapping[str, object] | None = None, *, bare: bool = False) -> BucketRules:
    """Give the bucket rules of a preset, or of one [[datasets]] table of a custom dataset.

    The notebook's limits are 256 to 1024, or 320 to 1280 above a resolution of 640, and 256 to 4096 for SDXL. A
    resolution below 256, which the notebook does not offer, lowers the lower limit to itself, because the engine
    refuses it otherwise. `bare`: what is not given has the engine's default instead: the file is used as it is.
    """
    given = dict(table or {})
    resolution = _pair(given.get("resolution"), config.processing.resolution)
    batch_size = config.steps.train_batch_size
    family = FAMILIES[config.setup.family]
    rules = (
        BucketRules(resolution, batch_size, enable_bucket=False) if bare else _notebook(resolution, batch_size, family)
    )
    named = {key: given[key] for key in (*RULE_KEYS, "batch_size") if key in given}
    return replace(rules, least_step=family.bucket_step, **named)  # type: ignore[arg-type]  # types were checked when the table was read


def _notebook(resolution: tuple[int, int], batch_size: int, family: Family) -> BucketRules:
    low, high = (256, 4096) if family.name == "sdxl" else (320, 1280) if max(resolution) > 640 else (256, 1024)
    return BucketRules(
        resolution=resolution,
        batch_size=batch_size,
        min_bucket_reso=min(low, *resolution),
        max_bucket_reso=max(high, *resolution),
    )


def _pair(value: object, default: int) -> tuple[int, int]:
    if isinstance(value, list):
        return value[0], value[1]
    side = value if isinstance(value, int) else default
    return side, side


def rule_findings(rules: BucketRules) -> Iterator[Problem]:
    """Say which rules the engine refuses."""
    if not rules.enable_bucket:
        return
    if rules.bucket_reso_steps % rules.least_step:
        yield finding(
            "bucket-limits", "bucket_reso_steps", f"{rules.bucket_reso_steps} is no multiple of {rules.least_step}"
        )
    low, high = limits(rules)
    if low > min(rules.resolution):
        yield finding("bucket-limits", "min_bucket_reso", f"{rules.min_bucket_reso} is above the resolution")
    if high < max(rules.resolution):
        yield finding("bucket-limits", "max_bucket_reso", f"{rules.max_bucket_reso} is below the resolution")
    if not low:
        what = f"{rules.min_bucket_reso} is below bucket_reso_steps, {rules.bucket_reso_steps}"
        yield finding("bucket-limits", "min_bucket_reso", what)


def size_findings(pictures: Sequence[Picture], rules: BucketRules, *, cached: bool) -> Iterator[Problem]:
    """Say which pictures are too small or too large; `cached`: latents are cached, which shrinks any picture."""
    width, height = rules.resolution
    small = []
    for picture in pictures:
        size = f"is {picture.width}x{picture.height} pixels"
        if rules.enable_bucket and rules.bucket_no_upscale:
            if 0 in bucket_of((picture.width, picture.height), rules):
                yield finding("too-small", picture.source, size)
        elif picture.width * picture.height < width * height:
            small.append(picture.source)
        if not (rules.enable_bucket or cached) and (picture.width > width or picture.height > height):
            yield finding("too-large", picture.source, size)
    if small:
        what = f"fewer pixels than {width}x{height}: {names(small)}"
        yield finding("upscaled", small[0] if len(small) == 1 else small[0].parent, what)


def fill_buckets(group: DatasetGroup) -> tuple[tuple[Bucket, ...], int]:
    """Give a group's buckets for one epoch, and how many regularization pictures are left out of it."""
    if any(rule_findings(group.rules)):
        return (), 0
    entries = _entries(subset for subset in group.subsets if not subset.is_reg)
    reg_entries = _entries(subset for subset in group.subsets if subset.is_reg)
    used = balanced_repeats(sum(repeats for _, repeats in entries), [repeats for _, repeats in reg_entries])
    entries += [(size, repeats) for (size, _), repeats in zip(reg_entries, used, strict=True)]
    usable = [entry for entry in entries if 0 not in bucket_of(entry[0], group.rules)]
    return assign_buckets(usable, group.rules), used.count(0)


def _entries(subsets: Iterator[Subset]) -> list[tuple[tuple[int, int], int]]:
    return [((p.width, p.height), subset.num_repeats) for subset in subsets for p in subset.pictures]
