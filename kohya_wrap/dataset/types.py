"""What a dataset is once it has been looked at: frozen, ready to be written into a dataset TOML."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kohya_wrap.errors import Problem


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture. `path`: where the engine will read it; `source`: where it lies now (the same unless it is copied).

    `width` and `height` in pixels as stored, EXIF rotation not applied (the engine ignores it). `caption`: the caption
    file that belongs to it, where it lies now; None when there is none.
    """

    path: Path
    source: Path
    width: int
    height: int
    caption: Path | None = None


@dataclass(frozen=True, slots=True)
class Subset:
    """One folder of pictures. `options`: further keys of its table in the dataset TOML (keep_tokens, flip_aug, …)."""

    image_dir: Path
    num_repeats: int
    pictures: tuple[Picture, ...]
    is_reg: bool = False
    class_tokens: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BucketRules:
    """How pictures are put into aspect-ratio buckets; sizes in pixels. Source: the notebook's [general] table.

    `least_step`: what bucket_reso_steps must be a multiple of, by the family's U-Net.
    """

    resolution: tuple[int, int]
    batch_size: int
    enable_bucket: bool = True
    min_bucket_reso: int = 256
    max_bucket_reso: int = 1024
    bucket_reso_steps: int = 64
    bucket_no_upscale: bool = False
    least_step: int = 64


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket: its size in pixels and its pictures, repeats counted."""

    width: int
    height: int
    count: int


@dataclass(frozen=True, slots=True)
class DatasetGroup:
    """One [[datasets]] entry: subsets that share bucket rules, and the buckets its pictures fall into.

    `options`: further keys of its table in the dataset TOML.
    """

    rules: BucketRules
    subsets: tuple[Subset, ...]
    buckets: tuple[Bucket, ...]
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def batches(self) -> int:
        """Batches of one epoch: each bucket is filled up on its own."""
        return sum(-(-bucket.count // self.rules.batch_size) for bucket in self.buckets)


@dataclass(frozen=True, slots=True)
class Copy:
    """A file that is to be copied into the dataset folder before the run."""

    source: Path
    target: Path


@dataclass(frozen=True, slots=True)
class RemotePicture:
    """A picture that is to be fetched into the dataset folder; `sha256` in lower-case hex, empty when not known."""

    url: str
    target: Path
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class PreparedDataset:
    """All that is known of a dataset before the launch; nothing on disk has been touched.

    `has_captions`: at least one caption file was found; else the project's name is the caption (class_tokens).
    `builtin`: the folder into which the demo's pictures are to be drawn.
    """

    groups: tuple[DatasetGroup, ...]
    findings: tuple[Problem, ...] = ()
    copies: tuple[Copy, ...] = ()
    links: tuple[RemotePicture, ...] = ()
    has_captions: bool = True
    builtin: Path | None = None

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """All pictures, once each."""
        return tuple(p for group in self.groups for subset in group.subsets for p in subset.pictures)

    @property
    def train_images(self) -> int:
        """Training pictures times repeats."""
        return self._count(reg=False)

    @property
    def reg_images(self) -> int:
        """Regularization pictures times repeats."""
        return self._count(reg=True)

    @property
    def batches_per_epoch(self) -> int:
        """Batches of one epoch over all groups, on one process."""
        return sum(group.batches for group in self.groups)

    def _count(self, *, reg: bool) -> int:
        subsets = (subset for group in self.groups for subset in group.subsets if subset.is_reg == reg)
        return sum(len(subset.pictures) * subset.num_repeats for subset in subsets)
