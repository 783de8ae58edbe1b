"""What the names and shapes in a LoRA's header tell: its type, family, ranks, and where each module sits."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from kohya_wrap.results.lora_file import LoraFile, TensorInfo

TITLES: Mapping[str, str] = {
    "sd15": "Stable Diffusion 1.x",
    "sd2": "Stable Diffusion 2.x",
    "sdxl": "Stable Diffusion XL",
    "sd3": "Stable Diffusion 3",
    "flux": "Flux",
    "lumina": "Lumina",
    "hunyuan-image": "HunyuanImage",
    "unknown": "an unknown family",
}

_PARTS = {
    "lora_down.weight": "down",
    "lora_up.weight": "up",
    "lora_mid.weight": "mid",
    "lora.down.weight": "down",
    "lora.up.weight": "up",
    "lora_A.weight": "down",
    "lora_B.weight": "up",
    "lora_A.default.weight": "down",
    "lora_B.default.weight": "up",
    "lora_magnitude_vector": "dora_scale",
    "lora_magnitude_vector.weight": "dora_scale",
}
_KEY = re.compile(
    r"(.+?)(?:_(?=lora\.)|\.)(lora_(?:down|up|mid)\.weight|lora\.(?:down|up)\.weight|lora_[AB](?:\.default)?\.weight"
    r"|lora_magnitude_vector(?:\.weight)?|\w+)"
)
_WIDTHS = {768: "sd15", 1024: "sd2", 2048: "sdxl"}
_NAMED = (
    ("lora_te2_", "sdxl"),
    ("text_encoder_2.", "sdxl"),
    ("joint_blocks", "sd3"),
    ("single_transformer_blocks", "flux"),
    ("double_blocks", "flux"),
    ("single_blocks", "flux"),
)
_TEXT_ENCODER = re.compile(r"(?:lora_)?te(\d?)_|text_encoder_?(\d?)_")
_DIFFUSERS = re.compile(r"(down|up)_blocks_(\d{1,3})_(attentions|resnets|downsamplers|upsamplers)_(\d{1,3})")
_LDM = re.compile(r"(input|output)_blocks_(\d{1,3})")
_LAYERS = re.compile(r"(double_blocks|single_blocks|single_transformer_blocks|joint_blocks|layers)_(\d{1,3})")
_LETTERS = {"double_blocks": "D", "single_blocks": "S", "single_transformer_blocks": "S"}


@dataclass(frozen=True, slots=True)
class Module:
    """One module: its tensors by part (down, up, mid, alpha, hada_w1_a, lokr_w1, diff, …), each with its key."""

    name: str
    tensors: Mapping[str, TensorInfo]

    @property
    def rank(self) -> int:
        """Inner dimension of the update; 0 when it is not a product of thin matrices."""
        for part in ("down", "hada_w1_b", "lokr_w2_b", "lokr_w1_b"):
            if part in self.tensors and self.tensors[part].shape:
                return self.tensors[part].shape[0]
        return 0

    @property
    def is_conv(self) -> bool:
        """Whether it changes a convolution wider than one pixel, which a LoCon does and a plain LoRA does not."""
        return "mid" in self.tensors or any(tensor.shape[2:] > (1, 1) for tensor in self.tensors.values())

    @property
    def width(self) -> int:
        """Inputs of the layer it changes; 0 when the shapes do not tell."""
        for part in ("down", "hada_w1_b"):
            if part in self.tensors and len(self.tensors[part].shape) > 1:
                return self.tensors[part].shape[1]
        return 0

    @property
    def block(self) -> str:
        """The block it sits in, by the names of the WebUI's block weights: TE, IN01 … IN11, M00, OUT00 … OUT11."""
        return block_of(self.name)


@dataclass(frozen=True, slots=True)
class Structure:
    """All modules of a file. `kind`: LoRA, LoCon, LoHa, LoKr, DoRA, OFT, IA3, full difference, or unknown."""

    kind: str
    family: str
    modules: tuple[Module, ...] = ()
    ranks: Mapping[int, int] = field(default_factory=dict)
    conv_ranks: Mapping[int, int] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Count the modules of the text encoders and of the U-Net (or transformer)."""
        parts = Counter("text encoder" if module.block.startswith("TE") else "U-Net" for module in self.modules)
        return {part: parts[part] for part in ("text encoder", "U-Net") if parts[part]}


def structure_of(lora: LoraFile) -> Structure:
    """Take a header apart into modules, and say what kind of LoRA they make, for which family."""
    found: dict[str, dict[str, TensorInfo]] = {}
    for key, tensor in lora.tensors.items():
        match = _KEY.fullmatch(key)
        name, part = (match[1], match[2]) if match else (key, "weight")
        found.setdefault(name, {})[_PARTS.get(part, part)] = tensor
    modules = tuple(Module(name, tensors) for name, tensors in found.items())
    ranks = Counter(module.rank for module in modules if module.rank and not module.is_conv)
    conv_ranks = Counter(module.rank for module in modules if module.rank and module.is_conv)
    kind = _kind({part for module in modules for part in module.tensors}, has_conv=bool(conv_ranks))
    return Structure(kind, _family(modules), modules, dict(ranks.most_common()), dict(conv_ranks.most_common()))


def _kind(parts: set[str], *, has_conv: bool) -> str:
    rules = (
        ("hada_w1_a", "LoHa"),
        ("lokr_w1", "LoKr"),
        ("lokr_w1_a", "LoKr"),
        ("oft_blocks", "OFT"),
        ("oft_diag", "OFT"),
        ("on_input", "IA3"),
        ("down", "LoCon" if has_conv else "LoRA"),
        ("diff", "full difference"),
    )
    kind = next((kind for part, kind in rules if part in parts), "unknown")
    return f"DoRA ({kind})" if "dora_scale" in parts else kind


def _family(modules: tuple[Module, ...]) -> str:
    """Tell the family by the width of the text that cross attention reads, or by names only one family has."""
    for module in modules:
        if module.name.endswith(("attn2_to_k", "attn2.to_k", "attn2.processor.to_k")) and module.width in _WIDTHS:
            return _WIDTHS[module.width]
    names = [module.name for module in modules]
    return next((family for mark, family in _NAMED if any(mark in name for name in names)), "unknown")


def block_of(name: str) -> str:
    """Give the block of a module by its name, whichever of the spellings in use it has."""
    name = name.replace(".", "_")
    if match := _TEXT_ENCODER.match(name):
        return f"TE{match[1] or match[2] or ''}"
    if match := _LDM.search(name):
        return f"{'IN' if match[1] == 'input' else 'OUT'}{int(match[2]):02d}"
    if "mid_block" in name or "middle_block" in name:
        return "M00"
    if match := _DIFFUSERS.search(name):
        first = 1 if match[1] == "down" else 0
        place = first + (2 if match[3] in {"downsamplers", "upsamplers"} else int(match[4]))
        return f"{'IN' if match[1] == 'down' else 'OUT'}{3 * int(match[2]) + place:02d}"
    match = _LAYERS.search(name)
    return f"{_LETTERS.get(match[1], 'L')}{int(match[2]):02d}" if match else "other"


def block_order(block: str) -> tuple[int, str]:
    """Sort blocks as the data flows: text encoders, down, middle, up, then the rest."""
    starts = ("TE", "IN", "M0", "OUT", "D", "S", "L")
    return next((index for index, start in enumerate(starts) if block.startswith(start)), len(starts)), block
