"""LoRAs that are computed beside a model's weights, as in training, and leave these as they are.

A second copy of SDXL's weights, from which to take a LoRA out again, does not fit into the memory that draws it.
"""

from collections.abc import Mapping
from functools import partial

import torch
from lora import Loras, Tensors, Wanted, checked_parts, files_of, scale_of, update_of
from torch import nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle


class LorasBeside(Loras):
    """As Loras, for a model of which no second copy fits into memory."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__(modules)
        self._hooks: list[RemovableHandle] = []

    def apply(self, wanted: Wanted) -> None:
        """Let the modules give what they gave before with these LoRAs added, each (file, weight). Raises Refused."""
        if tuple(wanted) == self._applied:
            return
        self._applied = None
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        for path, by_module, weight in files_of(wanted):
            for name, parts in by_module.items():
                module = self._modules[name]
                given = checked_parts(name, path, parts, module.weight)
                self._hooks.append(module.register_forward_hook(partial(_added, parts=_ready(given, module, weight))))
        self._applied = tuple(wanted)


def _ready(parts: Tensors, module: nn.Module, weight: float) -> Tensors:
    """Bring a plain pair into the module's shapes and type, with all factors in `up`; others stay, with the weight."""
    if "lora_up.weight" not in parts or "lora_mid.weight" in parts:
        return {**parts, "weight": torch.tensor(weight)}
    up, down = (parts[f"lora_{name}.weight"].float() for name in ("up", "down"))
    kind = {"device": module.weight.device, "dtype": module.weight.dtype}
    up = up.flatten(1) * (scale_of(parts) * weight)
    shape = module.weight.shape[1:]
    end = (1,) * (len(shape) - 1)
    return {"up": up.reshape(*up.shape, *end).to(**kind), "down": down.reshape(-1, *shape).to(**kind)}


def _added(module: nn.Module, given: tuple, output: torch.Tensor, *, parts: Tensors) -> torch.Tensor:
    if "up" not in parts:
        plain = {name: part for name, part in parts.items() if name != "weight"}
        update = update_of(plain, module.weight.shape, float(parts["weight"]))
        return output + _through(module, given[0], update.to(module.weight.dtype))
    inner = _through(module, given[0], parts["down"])
    if isinstance(module, nn.Linear):
        return output + functional.linear(inner, parts["up"])
    return output + functional.conv2d(inner, parts["up"])


def _through(module: nn.Module, given: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Do with a weight what the module does with its own, without the bias."""
    if isinstance(module, nn.Linear):
        return functional.linear(given, weight)
    return functional.conv2d(given, weight, None, module.stride, module.padding, module.dilation)
