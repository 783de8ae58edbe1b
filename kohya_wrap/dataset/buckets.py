"""Aspect-ratio buckets, exactly as the engine fills them, so that the plan's steps are the engine's.

Source: BucketManager of sd-scripts at the pinned commit, described in the facts; written anew.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from kohya_wrap.dataset.types import Bucket, BucketRules

Size = tuple[int, int]
"""Width and height in pixels."""


def assign_buckets(sizes: Iterable[tuple[Size, int]], rules: BucketRules) -> tuple[Bucket, ...]:
    """Put pictures, each a size and its repeats, into buckets; sorted by size, empty buckets left out."""
    counts: Counter[Size] = Counter()
    for size, repeats in sizes:
        counts[bucket_of(size, rules)] += repeats
    return tuple(Bucket(width, height, count) for (width, height), count in sorted(counts.items()) if count)


def bucket_of(size: Size, rules: BucketRules) -> Size:
    """Give the bucket that a picture falls into.

    Without buckets every picture is cropped to the resolution; with bucket_no_upscale the bucket follows the picture,
    and a side of 0 says that the engine would stop at this picture.
    """
    if not rules.enable_bucket:
        return rules.resolution
    if rules.bucket_no_upscale:
        return _without_upscaling(size, rules)
    return _nearest(size, _bucket_sizes(rules))


def limits(rules: BucketRules) -> tuple[int, int]:
    """Give the smallest and largest side as the engine takes them: moved outwards to whole steps."""
    step = rules.bucket_reso_steps
    return rules.min_bucket_reso // step * step, -(-rules.max_bucket_reso // step) * step


@lru_cache(maxsize=32)
def _bucket_sizes(rules: BucketRules) -> tuple[Size, ...]:
    """List the bucket sizes: for each width in steps the largest height that keeps the area, and both ways round."""
    step = rules.bucket_reso_steps
    low, high = limits(rules)
    area = rules.resolution[0] * rules.resolution[1]
    square = int(math.sqrt(area) // step) * step
    sizes = {(square, square)}
    for width in range(low, high + 1, step):
        height = min(high, area // width // step * step)
        if height >= low:
            sizes |= {(width, height), (height, width)}
    return tuple(sorted(sizes))


def _nearest(size: Size, sizes: Sequence[Size]) -> Size:
    """Choose the size itself if it is a bucket, else the first of those with the nearest aspect ratio."""
    at = bisect_left(sizes, size)
    if at < len(sizes) and sizes[at] == size:
        return size
    ratio = size[0] / size[1]
    return min(sizes, key=lambda each: abs(each[0] / each[1] - ratio))


def _without_upscaling(size: Size, rules: BucketRules) -> Size:
    """Shrink to the area if larger, by whichever side then fits its ratio better; then cut down to whole steps."""
    step = rules.bucket_reso_steps
    width, height = size
    area = rules.resolution[0] * rules.resolution[1]
    if width * height > area:
        width, height = _shrunk(width / height, area, step)
    return width - width % step, height - height % step


def _shrunk(ratio: float, area: int, step: int) -> Size:
    exact_width = math.sqrt(area * ratio)
    width = _to_steps(exact_width, step)
    height_for_width = _to_steps(width / ratio, step)
    height = _to_steps(area / exact_width, step)
    width_for_height = _to_steps(height * ratio, step)
    if not (height_for_width and height):
        return 0, 0  # the engine divides by these
    error_by_width = abs(width / height_for_width - ratio)
    error_by_height = abs(width_for_height / height - ratio)
    if error_by_width < error_by_height:
        return width, int(width / ratio + 0.5)
    return int(height * ratio + 0.5), height


def _to_steps(number: float, step: int) -> int:
    rounded = int(number + 0.5)
    return rounded - rounded % step


def balanced_repeats(train_images: int, reg_repeats: Sequence[int]) -> list[int]:
    """Give how often each regularization picture is used in an epoch: the engine evens them out with the training.

    Each is taken with its own repeats until the training pictures are matched; the rest is dropped. If they are too
    few, each is used once more, in turn.
    """
    used = [0] * len(reg_repeats)
    total = 0
    first = True
    while reg_repeats and total < train_images:
        for index, repeats in enumerate(reg_repeats):
            more = repeats if first else 1
            used[index] += more
            total += more
            if total >= train_images:
                break
        first = False
    return used
