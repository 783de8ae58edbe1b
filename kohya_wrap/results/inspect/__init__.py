"""LoRA files that explain themselves: what one is, how it was trained, how strongly it changes which block."""

from kohya_wrap.results.inspect.lora import (
    LoraHashes,
    LoraHeader,
    inspect_hashes,
    inspect_header,
    inspect_numbers,
)
from kohya_wrap.results.inspect.norms import Measures
from kohya_wrap.results.inspect.picture import draw_norms

__all__ = [
    "LoraHashes",
    "LoraHeader",
    "Measures",
    "draw_norms",
    "inspect_hashes",
    "inspect_header",
    "inspect_numbers",
]
