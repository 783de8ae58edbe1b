"""[extras]: ready-made files in place of fields."""

from kohya_wrap.config.base import Table


class ExtrasConfig(Table):
    """The notebook's heading "Extras"."""

    custom_dataset: str = ""
    """TOML text with [[datasets]] and [[datasets.subsets]] (image_dir, num_repeats, is_reg, …) in place of the one
    subset. Default: empty. Source: Lora_Trainer, custom_dataset."""

    override_dataset_config_file: str = ""
    """A dataset TOML, used as it is.
    Default: empty. Source: Lora_Trainer, override_dataset_config_file."""

    override_config_file: str = ""
    """A training TOML, used as it is; only paths, names and seed are still set by kohya_wrap.
    Default: empty. Source: Lora_Trainer, override_config_file."""

    zip: str = ""
    """An archive of pictures and captions to unpack into the dataset folder before the run.
    Default: empty. Source: Lora_Trainer, zip."""

    extract_to: str = ""
    """Where zip is unpacked; empty: the project's dataset folder.
    Default: empty. Source: Lora_Trainer, extract_to."""
