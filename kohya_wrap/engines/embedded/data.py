"""Pictures and captions: found, put into buckets, encoded once, and dealt out in batches."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from lines import log
from PIL import Image
from settings import DatasetSettings, SubsetSettings

ENDINGS = tuple(ending for lower in (".png", ".jpg", ".jpeg", ".webp", ".bmp") for ending in (lower, lower.upper()))


STEP = 64
"""Pixels. Sides of buckets that a Stable Diffusion 1.x U-Net takes are multiples of it."""


@dataclass
class Item:
    """One picture. `bucket` in pixels; `latents`: as it is and, with flip_aug, mirrored, each 4 x H/8 x W/8."""

    path: Path
    caption: str
    size: tuple[int, int]
    subset: SubsetSettings
    bucket: tuple[int, int] = (0, 0)
    latents: list[torch.Tensor] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """What one step sees: latents N x 4 x h x w, and the captions as shuffled for this use."""

    latents: torch.Tensor
    captions: list[str]


class Dataset:
    """One [[datasets]] entry with its pictures in buckets."""

    def __init__(self, settings: DatasetSettings) -> None:
        check_rules(settings)
        self.settings = settings
        self.subsets = _unique(settings.subsets)
        self.items = [item for subset in self.subsets for item in _items(subset)]
        sizes = bucket_sizes(settings)
        for item in self.items:
            item.bucket = nearest(item.size, sizes) if settings.enable_bucket else settings.resolution

    @property
    def num_train_images(self) -> int:
        """Pictures times repeats."""
        return sum(item.subset.num_repeats for item in self.items)

    def buckets(self) -> dict[tuple[int, int], list[Item]]:
        """Pictures, repeats included, by bucket; sorted by size."""
        filled: dict[tuple[int, int], list[Item]] = {}
        for item in self.items:
            filled.setdefault(item.bucket, []).extend([item] * item.subset.num_repeats)
        return dict(sorted(filled.items()))

    def batches_per_epoch(self) -> int:
        """Each bucket is filled up on its own."""
        return sum(math.ceil(len(items) / self.settings.batch_size) for items in self.buckets().values())

    def tag_frequency(self) -> dict[str, dict[str, int]]:
        """Count tags in lower case by folder name, each caption once."""
        counted: dict[str, dict[str, int]] = {}
        for item in self.items:
            tags = Counter(counted.setdefault(item.subset.image_dir.name, {}))
            tags.update(tag.strip().lower() for tag in item.caption.split(",") if tag.strip())
            counted[item.subset.image_dir.name] = dict(tags)
        return counted


def check_rules(settings: DatasetSettings) -> None:
    """Stop where sd-scripts stops, in its words. Raises AssertionError."""
    if settings.enable_bucket:
        step, (low, high) = settings.bucket_reso_steps, bucket_limits(settings)
        assert step % STEP == 0, f"bucket_reso_steps is {step}. it must be divisible by {STEP}."  # noqa: S101
        assert low <= min(settings.resolution), "min_bucket_reso must be equal or less than resolution"  # noqa: S101
        assert high >= max(settings.resolution), "max_bucket_reso must be equal or greater than resolution"  # noqa: S101


def bucket_limits(settings: DatasetSettings) -> tuple[int, int]:
    """Give the smallest and the largest side, widened to whole steps."""
    step = settings.bucket_reso_steps
    return settings.min_bucket_reso // step * step, math.ceil(settings.max_bucket_reso / step) * step


def _unique(subsets: Sequence[SubsetSettings]) -> list[SubsetSettings]:
    """Leave out a folder that stands twice, as sd-scripts does."""
    found: dict[Path, SubsetSettings] = {}
    for subset in subsets:
        if subset.image_dir in found:
            log(f"ignore duplicated subset with image_dir={str(subset.image_dir)!r}: use the first one")
        found.setdefault(subset.image_dir, subset)
    return list(found.values())


def _items(subset: SubsetSettings) -> list[Item]:
    paths = sorted(p for p in subset.image_dir.iterdir() if p.suffix in ENDINGS) if subset.image_dir.is_dir() else []
    if not paths:
        log(f"ignore subset with image_dir={str(subset.image_dir)!r}: no images found")
    else:
        log(f"found directory {subset.image_dir} contains {len(paths)} image files")
    return [Item(path, _caption(path, subset), _size(path), subset) for path in paths]


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def _caption(path: Path, subset: SubsetSettings) -> str:
    file = path.with_suffix(subset.caption_extension) if subset.caption_extension else None
    if file is not None and file.is_file():
        text = file.read_text(encoding="utf-8-sig")
        assert text, f"caption file is empty: {file}"  # noqa: S101 - as sd-scripts says it
        return text.partition("\n")[0].strip()
    return subset.class_tokens or ""


def bucket_sizes(settings: DatasetSettings) -> list[tuple[int, int]]:
    """List bucket sizes: for each width the largest height that keeps the area, and both ways round."""
    step, (low, high) = settings.bucket_reso_steps, bucket_limits(settings)
    area = settings.resolution[0] * settings.resolution[1]
    square = int(math.sqrt(area) // step) * step
    sizes = {(square, square)}
    for width in range(low, high + 1, step):
        height = min(high, area // width // step * step)
        if height >= low:
            sizes |= {(width, height), (height, width)}
    return sorted(sizes)


def nearest(size: tuple[int, int], sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Choose the bucket of the picture's own size, else the first with the nearest aspect ratio."""
    ratio = size[0] / size[1]
    return size if size in sizes else min(sizes, key=lambda each: abs(each[0] / each[1] - ratio))


def pixels(item: Item) -> torch.Tensor:
    """Scale a picture to cover its bucket, cut the middle out; 3 x H x W from -1 to 1."""
    width, height = item.bucket
    with Image.open(item.path) as image:
        rgb = image.convert("RGB")
    scale = max(width / rgb.width, height / rgb.height)
    fitted = rgb.resize((max(width, round(rgb.width * scale)), max(height, round(rgb.height * scale))), Image.LANCZOS)
    left, top = (fitted.width - width) // 2, (fitted.height - height) // 2
    array = np.asarray(fitted.crop((left, top, left + width, top + height)), dtype=np.float32)
    return torch.from_numpy(array / 127.5 - 1.0).permute(2, 0, 1).contiguous()


def cache_latents(items: Sequence[Item], encode: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Encode each picture, and its mirror image where that is wanted, once."""
    for item in items:
        image = pixels(item)
        views = [image, image.flip(-1)] if item.subset.flip_aug else [image]
        item.latents = [encode(view.unsqueeze(0))[0] for view in views]


def epoch_batches(datasets: Sequence[Dataset], *, seed: int, epoch: int) -> Iterator[Batch]:
    """Deal out one epoch, in an order that follows from the seed and the epoch alone."""
    order = random.Random(f"{seed}/{epoch}")  # noqa: S311 - repeatable on purpose
    batches = []
    for dataset in datasets:
        size = dataset.settings.batch_size
        for items in dataset.buckets().values():
            shuffled = order.sample(items, len(items))
            batches += [shuffled[at : at + size] for at in range(0, len(shuffled), size)]
    order.shuffle(batches)
    for items in batches:
        latents = torch.stack([order.choice(item.latents) for item in items])
        yield Batch(latents, [_shuffled(item, order) for item in items])


def _shuffled(item: Item, order: random.Random) -> str:
    if not item.subset.shuffle_caption:
        return item.caption
    tags = [tag.strip() for tag in item.caption.split(",") if tag.strip()]
    kept, rest = tags[: item.subset.keep_tokens], tags[item.subset.keep_tokens :]
    order.shuffle(rest)
    return ", ".join(kept + rest)
