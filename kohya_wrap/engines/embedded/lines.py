"""What sd-scripts prints with console_log_simple, line by line: log and print go to stdout, bars to stderr."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data import Dataset


def log(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 - this process talks through its output


def log_dataset(number: int, dataset: "Dataset") -> None:
    """Echo the settings of a dataset as they take effect."""
    settings = dataset.settings
    log(f"[Dataset {number}]")
    log(f"  batch_size: {settings.batch_size}")
    log(f"  resolution: {settings.resolution}")
    log(f"  enable_bucket: {settings.enable_bucket}")
    if settings.enable_bucket:
        log(f"  min_bucket_reso: {settings.min_bucket_reso}")
        log(f"  max_bucket_reso: {settings.max_bucket_reso}")
        log(f"  bucket_reso_steps: {settings.bucket_reso_steps}")
        log("  bucket_no_upscale: False")
    for index, subset in enumerate(dataset.subsets):
        log(f"  [Subset {index} of Dataset {number}]")
        log(f'    image_dir: "{subset.image_dir}"')
        log(f"    image_count: {sum(item.subset is subset for item in dataset.items)}")
        for key in ("num_repeats", "shuffle_caption", "keep_tokens", "flip_aug", "class_tokens", "caption_extension"):
            log(f"    {key}: {getattr(subset, key)}")


def log_buckets(number: int, dataset: "Dataset") -> None:
    """Say how many pictures, repeats included, fell into each bucket."""
    log(f"[Prepare dataset {number}]")
    log("loading image sizes.")
    log("make buckets" if dataset.settings.enable_bucket else "prepare dataset")
    if dataset.settings.enable_bucket:
        log("number of images (including repeats)")
        for index, (size, items) in enumerate(dataset.buckets().items()):
            log(f"bucket {index}: resolution {size}, count: {len(items)}")


def log_summary(datasets: Sequence["Dataset"], *, batches: int, epochs: int, steps: int) -> None:
    """Say what is about to happen, in numbers."""
    log("running training")
    log(f"  num train images * repeats: {sum(dataset.num_train_images for dataset in datasets)}")
    log("  num validation images * repeats: 0")
    log("  num reg images: 0")
    log(f"  num batches per epoch: {batches}")
    log(f"  num epochs: {epochs}")
    log(f"  batch size per device: {', '.join(str(dataset.settings.batch_size) for dataset in datasets)}")
    log("  gradient accumulation steps = 1")
    log(f"  total optimization steps: {steps}")
