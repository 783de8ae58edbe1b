"""What a picture says about how it was made."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

ResourceKind = Literal["model", "lora", "embedding", "vae", "hypernetwork", "upscaler", "other"]

_SIZE = re.compile(r"(\d{1,6})\s*[xX]\s*(\d{1,6})")
_SCHEDULES = (" SGM Uniform", " Karras", " Exponential", " Polyexponential", " Uniform", " Simple", " Beta")


@dataclass(frozen=True, slots=True)
class Resource:
    """A file that a picture was made with.

    `hash`: lower-case hex as written, of any length (10: AutoV2 of a model, 12: AutoV3 of a LoRA), empty when not
    said. `weight`: None when not said. `version_id`: Civitai's modelVersionId, 0 when not said.
    """

    kind: ResourceKind
    name: str
    hash: str = ""
    weight: float | None = None
    version_id: int = 0


@dataclass(frozen=True)
class Parameters:
    """The generation parameters of one picture.

    `settings`: every other value as written, in order, never converted. `source`: the program whose grammar it is
    (a1111, forge, sdnext, civitai, comfyui, novelai). `carrier`: where in the file it stood. `raw`: that text.
    """

    prompt: str
    negative_prompt: str = ""
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    source: str = "a1111"
    carrier: str = "text"
    raw: str = ""
    resources: tuple[Resource, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))

    def of_kind(self, kind: ResourceKind) -> tuple[Resource, ...]:
        """Give the resources of one kind, in the order the picture names them."""
        return tuple(resource for resource in self.resources if resource.kind == kind)

    @property
    def loras(self) -> tuple[Resource, ...]:
        """The LoRAs, with weights and hashes."""
        return self.of_kind("lora")

    @property
    def embeddings(self) -> tuple[Resource, ...]:
        """The textual-inversion embeddings that the picture lists; a prompt alone does not tell them from words."""
        return self.of_kind("embedding")

    @property
    def model(self) -> Resource | None:
        """The base model."""
        return next(iter(self.of_kind("model")), None)

    @property
    def vae(self) -> Resource | None:
        """The separate VAE."""
        return next(iter(self.of_kind("vae")), None)

    @property
    def steps(self) -> int | None:
        """Sampling steps."""
        return _whole(self.settings.get("Steps"))

    @property
    def seed(self) -> int | None:
        """The seed; 0 is a value."""
        return _whole(self.settings.get("Seed"))

    @property
    def cfg_scale(self) -> float | None:
        """The guidance scale."""
        return number(self.settings.get("CFG scale"))

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels."""
        match = _SIZE.fullmatch(self.settings.get("Size", "").strip())
        return (int(match[1]), int(match[2])) if match else None

    @property
    def clip_skip(self) -> int:
        """Layers counted from the end, as A1111 counts: 1, its default, where nothing is said."""
        return _whole(self.settings.get("Clip skip")) or 1

    @property
    def sampler(self) -> str:
        """The sampler without its schedule: "DPM++ 2M" of 2023's "DPM++ 2M Karras"."""
        name = self.settings.get("Sampler", "")
        return name.removesuffix(_schedule_suffix(name))

    @property
    def schedule(self) -> str:
        """The noise schedule: as said, or as the sampler's old name ends, or "Automatic"."""
        said = self.settings.get("Schedule type", "")
        return said or _schedule_suffix(self.settings.get("Sampler", "")).strip() or "Automatic"


def _schedule_suffix(name: str) -> str:
    return next((suffix for suffix in _SCHEDULES if name.endswith(suffix)), "")


def _whole(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,20}", text) else None


def number(text: object) -> float | None:
    """Give a finite number, None of anything else."""
    if isinstance(text, bool) or not isinstance(text, int | float | str):
        return None
    try:
        value = float(text)
    except (ValueError, OverflowError):
        return None
    return value if abs(value) < 1e18 else None
