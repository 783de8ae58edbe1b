"""A new preset's values, rebuilt from what others left: a picture, a LoRA, a notebook, kohya's own files."""

from kohya_wrap.results.rebuild.kohya_gui import given_by_kohya_gui
from kohya_wrap.results.rebuild.kohya_toml import given_by_toml
from kohya_wrap.results.rebuild.lora import given_by_lora
from kohya_wrap.results.rebuild.notebook import given_by_notebook
from kohya_wrap.results.rebuild.picture import given_by_parameters, given_by_picture

__all__ = [
    "given_by_kohya_gui",
    "given_by_lora",
    "given_by_notebook",
    "given_by_parameters",
    "given_by_picture",
    "given_by_toml",
]
