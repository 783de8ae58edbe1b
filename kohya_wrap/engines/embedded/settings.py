"""The two TOML files, read as sd-scripts reads them, but refused where a key would not be honoured."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import toml
from honoured import TRAINING, dataset_refusals, refusals

LEFT_OUT = {"text_encoder_lr": "network_train_unet_only", "unet_lr": "network_train_text_encoder_only"}
"""A part with learning rate 0 is left out by its flag; without it sd-scripts saves a part that was never trained."""


class RefusedError(Exception):
    """The files ask for something that this engine does not do; one sentence a line."""


@dataclass(frozen=True)
class SubsetSettings:
    """One folder of pictures."""

    image_dir: Path
    num_repeats: int
    shuffle_caption: bool
    keep_tokens: int
    flip_aug: bool
    caption_extension: str
    class_tokens: str | None


@dataclass(frozen=True)
class DatasetSettings:
    """One [[datasets]] entry: bucket rules and subsets; sizes in pixels."""

    resolution: tuple[int, int]
    batch_size: int
    enable_bucket: bool
    min_bucket_reso: int
    max_bucket_reso: int
    bucket_reso_steps: int
    subsets: tuple[SubsetSettings, ...]


@dataclass(frozen=True)
class Settings:
    """A whole training. `train` holds the training file's values, tables flattened."""

    train: dict[str, Any]
    datasets: tuple[DatasetSettings, ...] = field(default_factory=tuple)

    @property
    def seed(self) -> int:
        """The seed; 0 where the file names none, so that nothing is random without saying so."""
        return int(self.train.get("seed", 0))

    def get(self, key: str, default: Any = None) -> Any:
        """Give a value of the training file."""
        return self.train.get(key, default)


def read_settings(config_file: Path, dataset_config: Path) -> Settings:
    """Read both files. Raises RefusedError, which lists everything that would not be honoured."""
    train: dict[str, Any] = {}
    for key, value in toml.load(config_file).items():
        train.update(value if isinstance(value, dict) else {key: value})
    document = toml.load(dataset_config)
    problems = refusals(train, TRAINING, "training file") + dataset_refusals(document)
    for rate, flag in LEFT_OUT.items():
        if train.get(rate) == 0 and train.get(flag) is not True:
            problems.append(f"training file: {rate} = 0 without {flag} = true")
    if problems:
        raise RefusedError("\n".join(problems))
    general = document.get("general", {})
    return Settings(train, tuple(_dataset({**general, **table}, train) for table in document.get("datasets", [])))


def _dataset(table: dict[str, Any], train: dict[str, Any]) -> DatasetSettings:
    resolution = table["resolution"]
    return DatasetSettings(
        resolution=(resolution, resolution) if isinstance(resolution, int) else (resolution[0], resolution[1]),
        batch_size=table.get("batch_size", train.get("train_batch_size", 1)),
        enable_bucket=table.get("enable_bucket", False),
        min_bucket_reso=table.get("min_bucket_reso", 256),
        max_bucket_reso=table.get("max_bucket_reso", 1024),
        bucket_reso_steps=table.get("bucket_reso_steps", 64),
        subsets=tuple(_subset({**table, **subset}) for subset in table.get("subsets", [])),
    )


def _subset(table: dict[str, Any]) -> SubsetSettings:
    extension = table.get("caption_extension", ".caption")
    return SubsetSettings(
        image_dir=Path(table["image_dir"]),
        num_repeats=table.get("num_repeats", 1),
        shuffle_caption=table.get("shuffle_caption", False),
        keep_tokens=table.get("keep_tokens", 0),
        flip_aug=table.get("flip_aug", False),
        caption_extension=extension if not extension or extension.startswith(".") else f".{extension}",
        class_tokens=table.get("class_tokens"),
    )
