"""The LoRA: peft's layers in the places that networks.lora trains, under kohya's names."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from lines import log
from model import BaseModel
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file
from torch import nn

ADAPTER = "default"
UNET_BLOCKS = "Transformer2DModel"
TEXT_BLOCKS = ("CLIPAttention", "CLIPSdpaAttention", "CLIPMLP")
NOT_LOADED = "Error(s) in loading state_dict for LoRANetwork:"
"""torch's own words, by which the wrapper knows the failure."""


@dataclass(frozen=True)
class Part:
    """One part of the model with its LoRA layers by kohya's module names."""

    model: nn.Module
    layers: dict[str, LoraLayer]

    def parameters(self) -> list[nn.Parameter]:
        """Give what is trained, in the order of names."""
        return [weight for layer in self.layers.values() for weight in _weights(layer).values()]


@dataclass(frozen=True)
class Network:
    """The whole LoRA. A part is None when only the other one is trained."""

    dim: int
    alpha: float
    unet: Part | None
    text_encoder: Part | None

    def parts(self) -> list[Part]:
        """Give what is trained, text encoder first."""
        return [part for part in (self.text_encoder, self.unet) if part]

    def state_dict(self, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """Give kohya's tensors: down, up and alpha of each module, sorted by key, on the CPU."""
        tensors = {}
        for part in self.parts():
            for name, layer in part.layers.items():
                weights = _weights(layer)
                tensors[f"{name}.alpha"] = torch.tensor(float(self.alpha)).to(dtype)
                tensors[f"{name}.lora_down.weight"] = weights["down"].detach().cpu().to(dtype).contiguous()
                tensors[f"{name}.lora_up.weight"] = weights["up"].detach().cpu().to(dtype).contiguous()
        return dict(sorted(tensors.items()))


def create_network(
    base: BaseModel, *, dim: int, alpha: float, train_text_encoder: bool = True, train_unet: bool = True
) -> Network:
    """Put LoRA layers into the model, lora_down random and lora_up zero, from torch's generator."""
    log("import network module: networks.lora")
    log(f"create LoRA network. base dim (rank): {dim}, alpha: {alpha}")
    text_targets, unet_targets = list(_text_targets(base.text_encoder)), list(_unet_targets(base.unet))
    # sd-scripts makes both parts and then enables what is trained; its lines say so, and so do these.
    log(f"create LoRA for Text Encoder: {len(text_targets)} modules.")
    log(f"create LoRA for U-Net: {len(unet_targets)} modules.")
    text = _add(base.text_encoder, "lora_te", text_targets, dim, alpha) if train_text_encoder else None
    unet = _add(base.unet, "lora_unet", unet_targets, dim, alpha) if train_unet else None
    if text:
        log(f"enable LoRA for text encoder: {len(text.layers)} modules")
    if unet:
        log(f"enable LoRA for U-Net: {len(unet.layers)} modules")
    return Network(dim, alpha, unet, text)


def _unet_targets(unet: nn.Module) -> Iterator[str]:
    """Name the linear layers and 1x1 convolutions inside the transformer blocks' containers."""
    for name, block in unet.named_modules():
        if type(block).__name__ == UNET_BLOCKS:
            for child, layer in block.named_modules():
                small = isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1)
                if isinstance(layer, nn.Linear) or small:
                    yield f"{name}.{child}"


def _text_targets(text_encoder: nn.Module) -> Iterator[str]:
    for name, block in text_encoder.named_modules():
        if type(block).__name__ in TEXT_BLOCKS:
            for child, layer in block.named_modules():
                if isinstance(layer, nn.Linear):
                    yield f"{name}.{child}"


def _add(model: nn.Module, prefix: str, names: list[str], dim: int, alpha: float) -> Part:
    config = LoraConfig(r=dim, lora_alpha=alpha, target_modules=names, lora_dropout=0.0, bias="none")
    inject_adapter_in_model(config, model, adapter_name=ADAPTER)
    layers = {}
    for name in names:
        layer = model.get_submodule(name)
        nn.init.kaiming_uniform_(layer.lora_A[ADAPTER].weight, a=math.sqrt(5))
        nn.init.zeros_(layer.lora_B[ADAPTER].weight)
        layers[f"{prefix}_{name.replace('.', '_')}"] = layer
    return Part(model, layers)


def _weights(layer: LoraLayer) -> dict[str, nn.Parameter]:
    return {"down": layer.lora_A[ADAPTER].weight, "up": layer.lora_B[ADAPTER].weight}


def load_weights(network: Network, file: Path) -> None:
    """Go on from an existing LoRA of the same rank and alpha. Raises RuntimeError where modules or numbers differ."""
    log(f"load network weights from {file}")
    put_weights(network, load_file(file))


@torch.no_grad()
def put_weights(network: Network, tensors: dict[str, torch.Tensor]) -> None:
    """Put kohya's tensors into the network. Raises RuntimeError where modules or numbers differ."""
    expected = network.state_dict(torch.float32)
    wrong = [key for key in expected if key not in tensors or tensors[key].shape != expected[key].shape]
    wrong += [key for key in tensors if key not in expected]
    if wrong:
        raise RuntimeError(f"{NOT_LOADED} {wrong[0]} is missing, of another shape, or not trained here")
    for part in network.parts():
        for name, layer in part.layers.items():
            if float(tensors[f"{name}.alpha"]) != network.alpha:
                raise RuntimeError(f"{NOT_LOADED} {name}.alpha is {float(tensors[f'{name}.alpha'])}")
            for kind, weight in _weights(layer).items():
                weight.copy_(tensors[f"{name}.lora_{kind}.weight"])
