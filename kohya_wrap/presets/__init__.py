"""Find a preset, apply `extends` and overrides, report all its problems at once; list, show and make presets."""

from kohya_wrap.presets.files import ListedPreset, default_dirs, find_preset, list_presets
from kohya_wrap.presets.load import DEFAULT, LoadedPreset, load
from kohya_wrap.presets.merge import SET
from kohya_wrap.presets.new import Given, new_preset
from kohya_wrap.presets.schema import schema
from kohya_wrap.presets.show import show

__all__ = [
    "DEFAULT",
    "SET",
    "Given",
    "ListedPreset",
    "LoadedPreset",
    "default_dirs",
    "find_preset",
    "list_presets",
    "load",
    "new_preset",
    "schema",
    "show",
]
