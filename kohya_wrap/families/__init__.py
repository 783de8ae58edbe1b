"""What differs per base-model family. To add one: its file, one line in FAMILIES, its test."""

from kohya_wrap.families.family import Family
from kohya_wrap.families.sd15 import SD2, SD15

FAMILIES: dict[str, Family] = {family.name: family for family in (SD15, SD2)}

__all__ = ["FAMILIES", "Family"]
