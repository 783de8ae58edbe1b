"""[dataset]: where the pictures come from, and which findings about them are accepted."""

from kohya_wrap.config.base import Strings, Table


class DatasetConfig(Table):
    """The Dataset Maker's steps."""

    images: str | Strings = ()
    """Pictures or folders that are copied into the project's dataset folder, with the captions beside them.
    "builtin:demo" draws the demo's pictures. Empty: the folder is used as it is.
    Default: none. Source: kohya_wrap."""

    activation_tag: str = ""
    """The tag that calls the LoRA; captions are expected to start with it.
    Default: empty. Source: Dataset_Maker, global_activation_tag."""

    accept: Strings = ()
    """Names of dataset findings ("exif-rotation", …) that are to be warnings instead of errors.
    Default: none. Source: kohya_wrap."""
