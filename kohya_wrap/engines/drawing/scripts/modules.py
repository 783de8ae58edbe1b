"""The modules of a base model by the names that LoRAs have for them."""

from base import Base
from original_names import original_names
from torch import nn


def modules_of(base: Base) -> dict[str, nn.Module]:
    """Give the U-Net's and the text encoders' linear layers and convolutions by kohya's names.

    Where the family's LoRAs use the original names, both are there: some trainers keep diffusers'.
    """
    found = _named("lora_unet_", base.unet)
    if base.family.original_names:
        names = original_names((name for name, _ in base.unet.named_modules()), base.unet.config.layers_per_block)
        found |= {
            _kohya("lora_unet_", original): found[_kohya("lora_unet_", name)]
            for name, original in names.items()
            if _kohya("lora_unet_", name) in found
        }
    for text in base.texts:
        found |= _named(text.kind.lora, text.model)
    return found


def _named(prefix: str, model: nn.Module) -> dict[str, nn.Module]:
    kinds = (nn.Linear, nn.Conv2d)
    return {_kohya(prefix, name): module for name, module in model.named_modules() if isinstance(module, kinds)}


def _kohya(prefix: str, name: str) -> str:
    return f"{prefix}{name.replace('.', '_')}"
