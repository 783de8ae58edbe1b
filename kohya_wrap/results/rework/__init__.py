"""LoRAs made of other LoRAs by sd-scripts' tools: added up, or brought to another rank."""

from kohya_wrap.results.rework.merge import Part, merge
from kohya_wrap.results.rework.resize import Resizing, resize

__all__ = ["Part", "Resizing", "merge", "resize"]
