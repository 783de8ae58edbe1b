"""NovelAI: a JSON comment, in the text chunks or hidden in the lowest bit of the alpha channel."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kohya_wrap.results.parameters.a1111 import parse_text
from kohya_wrap.results.parameters.resources import loads
from kohya_wrap.results.parameters.types import Parameters

_KEYS = {
    "steps": "Steps",
    "sampler": "Sampler",
    "noise_schedule": "Schedule type",
    "scale": "CFG scale",
    "seed": "Seed",
}
_LARGEST = 32 << 20
_MOST_PIXELS = 64_000_000
_MAGIC = 15
"""Bytes of "stealth_pnginfo" (plain) and "stealth_pngcomp" (gzip); then 4 bytes: length in bits; then the text."""


def from_novelai(texts: Mapping[str, str], *, carrier: str) -> Parameters | None:
    """Read NovelAI's Software, Description and Comment; None when they are not there."""
    comment = loads(texts.get("Comment", ""))
    if not texts.get("Software", "").startswith("NovelAI") or not isinstance(comment, dict):
        return None
    prompt = comment.get("prompt") if isinstance(comment.get("prompt"), str) else texts.get("Description", "")
    settings = {name: _text(comment[key]) for key, name in _KEYS.items() if key in comment}
    if all(isinstance(comment.get(key), int) for key in ("width", "height")):
        settings["Size"] = f"{comment['width']}x{comment['height']}"
    return Parameters(
        prompt=str(prompt),
        negative_prompt=_text(comment.get("uc", "")),
        settings={**settings, "Software": texts["Software"], **_source(texts)},
        source="novelai",
        carrier=carrier,
        raw=texts["Comment"],
    )


def _source(texts: Mapping[str, str]) -> dict[str, str]:
    return {"Source": texts["Source"]} if texts.get("Source") else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def from_alpha(path: Path) -> Parameters | None:
    """Read the text hidden in the alpha channel's lowest bits, column by column; None when there is none."""
    text = _hidden_text(path)
    if text is None:
        return None
    texts = loads(text)
    if isinstance(texts, dict):
        named = {str(key): _text(value) for key, value in texts.items()}
        return from_novelai(named, carrier="alpha channel")
    return parse_text(text, carrier="alpha channel")


def _hidden_text(path: Path) -> str | None:
    import numpy as np  # noqa: PLC0415 - few pictures need it
    from PIL import Image  # noqa: PLC0415

    try:
        with Image.open(path) as image:
            if image.mode != "RGBA" or image.width * image.height > _MOST_PIXELS:
                return None
            alpha = np.asarray(image.getchannel("A"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    bits = (alpha & 1).T.reshape(-1)
    head = np.packbits(bits[: 8 * (_MAGIC + 4)]).tobytes()
    if head[:_MAGIC] not in {b"stealth_pnginfo", b"stealth_pngcomp"}:
        return None
    start, length = 8 * (_MAGIC + 4), int.from_bytes(head[_MAGIC:], "big")
    data = np.packbits(bits[start : start + length]).tobytes()
    return _inflated(data) if head[:_MAGIC].endswith(b"comp") else data.decode("utf-8", "replace")


def _inflated(data: bytes) -> str | None:
    try:
        return zlib.decompressobj(wbits=31).decompress(data, _LARGEST).decode("utf-8", "replace")
    except zlib.error:
        return None
