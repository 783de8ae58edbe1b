"""What differs per base-model family. To add one: its file, one line in FAMILIES, its test."""

from kohya_wrap.families.family import Family
from kohya_wrap.families.sd15 import SD2, SD15
from kohya_wrap.families.sdxl import SDXL

FAMILIES: dict[str, Family] = {family.name: family for family in (SD15, SD2, SDXL)}

__all__ = ["FAMILIES", "Family"]
