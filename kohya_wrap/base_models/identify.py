"""Say what a model file is by the names and shapes in its header: which family, or which other kind of file."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kohya_wrap.base_models.errors import NotAModelError
from kohya_wrap.base_models.header import Header, Tensor, read_header

Kind = Literal["checkpoint", "lora", "vae", "embedding", "unet", "other"]

UNET = "model.diffusion_model."
VAE = "first_stage_model."
TEXT_ENCODERS = ("cond_stage_model.", "conditioner.embedders.")

_FIRST_ATTENTION = (
    f"{UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
    f"{UNET}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight",
)
_WIDTH_TO_FAMILY = {768: "sd15", 1024: "sd2", 2048: "sdxl", 1280: "sdxl-refiner"}
_OTHER_FAMILIES = (
    ("joint_blocks.", "sd3"),
    ("double_blocks.", "flux"),
    ("double_layers.", "auraflow"),
    ("cap_embedder.", "lumina"),
)
_LORA_MARKS = ("lora_unet_", "lora_te_", "lora_te1_", "lora_te2_", "lycoris_")
_LORA_ENDS = (
    ".lora_up.weight",
    ".lora_B.weight",
    ".lora.up.weight",
    ".hada_w1_a",
    ".lokr_w1",
    ".lora_B.default.weight",
)
_TITLES = {
    "sd15": "Stable Diffusion 1.x",
    "sd2": "Stable Diffusion 2.x",
    "sdxl": "Stable Diffusion XL",
    "sdxl-refiner": "Stable Diffusion XL refiner",
    "sd3": "Stable Diffusion 3",
    "flux": "Flux",
    "auraflow": "AuraFlow",
    "lumina": "Lumina",
}
_KINDS = {
    "lora": "a LoRA",
    "vae": "a VAE",
    "embedding": "an embedding (textual inversion)",
    "unet": "a U-Net without text encoder and VAE",
    "other": "something else than a base model",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file is. `family`: sd15, sd2, sdxl, … or unknown; a family that nothing here trains is only a name.

    `precision`: the numeric type of most of its weights, as the header spells it. `missing`: parts that a checkpoint
    of this family must have and this one lacks. `inpainting`: its U-Net takes more than the four latent channels.
    """

    kind: Kind
    family: str = "unknown"
    precision: str = ""
    missing: tuple[str, ...] = ()
    inpainting: bool = False
    layout: Literal["ldm", "diffusers"] = "ldm"

    def __str__(self) -> str:
        if self.kind != "checkpoint":
            return _KINDS[self.kind]
        title = _TITLES.get(self.family, "an unknown family")
        return f"{title} (inpainting)" if self.inpainting else title


def identify(path: Path) -> Identity:
    """Identify a .safetensors file or a diffusers folder. Raises NotAModelError for what is neither, or is damaged."""
    return identify_folder(path) if path.is_dir() else identify_header(read_header(path))


def identify_header(header: Header) -> Identity:
    """Identify a .safetensors file by its header."""
    names = header.tensors
    precision = _precision(header.tensors)
    if any(name.startswith(UNET) for name in names):
        return _checkpoint(header.tensors, precision)
    return Identity(_other_kind(names), _family_of_metadata(header.metadata), precision, layout=_layout(names))


def identify_folder(folder: Path) -> Identity:
    """Identify a diffusers folder by its model_index.json and unet/config.json."""
    index = _read_json(folder / "model_index.json")
    unet = _read_json(folder / "unet" / "config.json")
    width = unet.get("cross_attention_dim")
    family = _WIDTH_TO_FAMILY.get(width, "unknown") if isinstance(width, int) else "unknown"
    if family == "unknown" and index.get("_class_name") == "StableDiffusionPipeline":
        family = "sd15"  # a small test base: one U-Net and one text encoder, of another width
    missing = tuple(part for part in ("text_encoder", "vae") if not (folder / part / "config.json").is_file())
    channels = unet.get("in_channels", 4)
    return Identity("checkpoint", family, missing=missing, inpainting=channels != 4, layout="diffusers")


def identify_vae_folder(folder: Path) -> Identity:
    """Identify the folder of a diffusers VAE, or a diffusers folder that has one, by its config.json."""
    own = folder if (folder / "config.json").is_file() else folder / "vae"
    config = _read_json(own / "config.json")
    if not str(config.get("_class_name", "")).startswith("Autoencoder"):
        raise NotAModelError("this folder holds no VAE", where=str(folder), todo="give the folder of an AutoencoderKL")
    return Identity("vae", layout="diffusers")


def _checkpoint(tensors: Mapping[str, Tensor], precision: str) -> Identity:
    family = _unet_family(tensors)
    missing = []
    if not any(name.startswith(TEXT_ENCODERS) for name in tensors):
        missing.append("text encoder")
    if not any(name.startswith(VAE) for name in tensors):
        missing.append("VAE")
    if len(missing) == 2:
        return Identity("unet", family, precision)
    first = tensors.get(f"{UNET}input_blocks.0.0.weight")
    inpainting = first is not None and len(first.shape) > 1 and first.shape[1] != 4
    return Identity("checkpoint", family, precision, tuple(missing), inpainting=inpainting)


def _unet_family(tensors: Mapping[str, Tensor]) -> str:
    for name in _FIRST_ATTENTION:
        if (tensor := tensors.get(name)) is not None and len(tensor.shape) == 2:
            return _WIDTH_TO_FAMILY.get(tensor.shape[1], "unknown")
    for mark, family in _OTHER_FAMILIES:
        if any(name.startswith(UNET + mark) for name in tensors):
            return family
    return "unknown"


def _other_kind(names: Mapping[str, Tensor]) -> Kind:
    if any(name.startswith(_LORA_MARKS) or name.endswith(_LORA_ENDS) for name in names):
        return "lora"
    if any(name.removeprefix(VAE).startswith(("encoder.conv_in.", "decoder.conv_in.")) for name in names):
        return "vae"
    if len(names) <= 8 and any(name in {"emb_params", "clip_l", "clip_g", "string_to_param"} for name in names):
        return "embedding"
    if any(name.startswith(("down_blocks.", "input_blocks.")) for name in names):
        return "unet"
    return "other"


def _layout(names: Mapping[str, Tensor]) -> Literal["ldm", "diffusers"]:
    return "diffusers" if any(".mid_block." in f".{name}" or "down_blocks." in name for name in names) else "ldm"


def _family_of_metadata(metadata: Mapping[str, str]) -> str:
    base = metadata.get("ss_base_model_version", "")
    return {"sd_v1": "sd15", "sd_v2": "sd2", "sdxl": "sdxl"}.get("_".join(base.split("_")[:2]), "unknown")


def _precision(tensors: Mapping[str, Tensor]) -> str:
    counts = Counter(tensor.dtype for name, tensor in tensors.items() if name.startswith(UNET))
    counts = counts or Counter(tensor.dtype for tensor in tensors.values())
    return counts.most_common(1)[0][0] if counts else ""


def _read_json(path: Path) -> dict[str, object]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        what = f"this is no diffusers folder: {path.name} is missing"
        raise NotAModelError(
            what, where=str(path.parent), todo="give the folder that holds model_index.json"
        ) from error
    except (ValueError, RecursionError) as error:
        raise NotAModelError("this file is damaged", where=str(path), todo="download it again") from error
    return read if isinstance(read, dict) else {}
