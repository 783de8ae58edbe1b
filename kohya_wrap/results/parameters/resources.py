"""The model, LoRAs, embeddings and VAE that a picture names, from all the places where tools write them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from kohya_wrap.results.parameters.types import Resource, ResourceKind, number

_TAG = re.compile(r"<(lora|lyco|lycoris|hypernet):([^<>:\n]{1,300}+)((?::[^<>:\n]{0,300}+){0,20}+)>", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-fA-F]{6,64}")
_ADDNET = re.compile(r"(.{1,300}?)\(([0-9a-fA-F]{6,64})\)")
_KINDS: dict[str, ResourceKind] = {
    "model": "model",
    "checkpoint": "model",
    "lora": "lora",
    "lyco": "lora",
    "lycoris": "lora",
    "locon": "lora",
    "dora": "lora",
    "embed": "embedding",
    "embedding": "embedding",
    "textualinversion": "embedding",
    "vae": "vae",
    "hypernet": "hypernetwork",
    "hypernetwork": "hypernetwork",
    "upscaler": "upscaler",
}


def named_resources(prompt: str, negative: str, settings: Mapping[str, str]) -> tuple[Resource, ...]:
    """List what the prompts and settings name, each file once, with everything that any place says of it."""
    found = [
        *_of_settings(settings),
        *_of_prompt(f"{prompt}\n{negative}"),
        *_of_hash_lists(settings),
        *_of_addnet(settings),
        *_of_hashes_json(settings.get("Hashes", "")),
        *_of_civitai(settings.get("Civitai resources", "")),
    ]
    return merged(found)


def merged(found: Iterable[Resource]) -> tuple[Resource, ...]:
    """Put together what several places say of one file: same kind and name, or same kind and hash."""
    kept: list[Resource] = []
    places: dict[tuple[str, str], int] = {}
    for resource in found:
        keys = _keys(resource)
        place = next((places[key] for key in keys if key in places), None)
        if place is None:
            place = len(kept)
            kept.append(resource)
        else:
            kept[place] = _joined(kept[place], resource)
        for key in keys:
            places.setdefault(key, place)
    return tuple(kept)


def _keys(resource: Resource) -> list[tuple[str, str]]:
    if resource.kind == "model":  # there is one; Civitai calls it by its page, the WebUI by its file
        return [("model", "")]
    # Tools write 10, 12 or 64 digits of one hash; ten are enough to tell files apart.
    by_name: list[tuple[str, str]] = [(resource.kind, resource.name.casefold())] if resource.name else []
    by_hash: list[tuple[str, str]] = [(resource.kind, f"#{resource.hash[:10]}")] if resource.hash else []
    return by_hash + by_name


def _joined(first: Resource, second: Resource) -> Resource:
    return Resource(
        kind=first.kind,
        name=first.name or second.name,
        hash=second.hash if second.hash.startswith(first.hash) else first.hash,
        weight=first.weight if first.weight is not None else second.weight,
        version_id=first.version_id or second.version_id,
    )


def stem(name: str) -> str:
    """Give a model file's name as prompts use it: no folders, no .safetensors, .ckpt or .pt."""
    last = PurePosixPath(name.replace("\\", "/")).name or name
    return re.sub(r"\.(safetensors|ckpt|pt|pth|bin|gguf|sft)$", "", last, flags=re.IGNORECASE)


def _of_settings(settings: Mapping[str, str]) -> Iterator[Resource]:
    for kind, name_key, hash_key in (("model", "Model", "Model hash"), ("vae", "VAE", "VAE hash")):
        name, digest = settings.get(name_key, ""), settings.get(hash_key, "")
        if name or digest:
            yield Resource(_KINDS[kind], name, digest.lower() if _HEX.fullmatch(digest) else "")


def _of_prompt(text: str) -> Iterator[Resource]:
    for match in _TAG.finditer(text):
        kind = _KINDS[match[1].lower()]
        weights = [value for value in map(_weight, match[3].split(":")[1:]) if value is not None]
        yield Resource(kind, match[2].strip(), weight=weights[0] if weights else 1.0)


def _weight(part: str) -> float | None:
    key, equals, value = part.rpartition("=")
    return number(value) if not equals or key.strip() in {"te", "unet"} else None


def _of_hash_lists(settings: Mapping[str, str]) -> Iterator[Resource]:
    lists: tuple[tuple[str, ResourceKind], ...] = (("Lora hashes", "lora"), ("TI hashes", "embedding"))
    for key, kind in lists:
        for part in settings.get(key, "").split(","):
            name, _, digest = part.rpartition(":")
            if name.strip() and _HEX.fullmatch(digest.strip()):
                yield Resource(kind, name.strip(), digest.strip().lower())


def _of_addnet(settings: Mapping[str, str]) -> Iterator[Resource]:
    for key, value in settings.items():
        if key.startswith("AddNet Model ") and (match := _ADDNET.fullmatch(value)):
            weight = number(
                settings.get(key.replace("Model", "Weight A")) or settings.get(key.replace("Model", "Weight"))
            )
            yield Resource("lora", match[1].strip(), match[2].lower(), weight)


def _of_hashes_json(text: str) -> Iterator[Resource]:
    hashes = loads(text)
    for key, digest in hashes.items() if isinstance(hashes, dict) else ():
        kind, _, name = key.partition(":")
        if isinstance(digest, str) and _HEX.fullmatch(digest):
            yield Resource(_KINDS.get(kind.lower(), "other"), name, digest.lower())


def _of_civitai(text: str) -> Iterator[Resource]:
    entries = loads(text)
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        kind = _KINDS.get(str(entry.get("type", "")).lower(), "other")
        version = entry.get("modelVersionId")
        yield Resource(
            kind=kind,
            name=_civitai_name(entry),
            hash=digest.lower() if isinstance(digest := entry.get("hash"), str) and _HEX.fullmatch(digest) else "",
            weight=number(entry.get("weight")),
            version_id=version if isinstance(version, int) and version > 0 else _version_of_air(entry.get("air")),
        )


def _civitai_name(entry: dict[str, Any]) -> str:
    parts = [entry.get("modelName") or entry.get("name"), entry.get("modelVersionName")]
    return " ".join(part for part in parts if isinstance(part, str))


def _version_of_air(air: object) -> int:
    """Read the version of Civitai's resource name, urn:air:sd1:lora:civitai:MODEL@VERSION."""
    match = re.search(r"@(\d{1,12})$", air) if isinstance(air, str) else None
    return int(match[1]) if match else 0


def loads(text: str) -> Any:
    """Read JSON written by a stranger; None when it is none, or nested without end."""
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
