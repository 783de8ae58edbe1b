"""The LoRA's layers: where they sit, what they are called, what they add, and how they go on from a file."""

from pathlib import Path
from typing import Any

import torch
from lora import create_network, load_weights
from material import World
from model import load_base
from optimization import create_optimizer
from safetensors.torch import load_file, save_file
from settings import Settings

DIM, ALPHA = 2, 0.5


def _network(world: World, **options: Any) -> Any:
    torch.manual_seed(3)
    return create_network(load_base(world.base), **{"dim": DIM, "alpha": ALPHA, **options})


def check_modules(world: World) -> Any:
    """Every tensor with its shape, for both parts and for one alone."""
    both = _network(world).state_dict(torch.float32)
    return {
        "both": {key: list(tensor.shape) for key, tensor in both.items()},
        "alphas": sorted({float(tensor) for key, tensor in both.items() if key.endswith(".alpha")}),
        "unet_only": list(_network(world, train_text_encoder=False).state_dict(torch.float32)),
        "text_encoder_only": list(_network(world, train_unet=False).state_dict(torch.float32)),
        "half": sorted({str(tensor.dtype) for tensor in _network(world).state_dict(torch.float16).values()}),
    }


@torch.no_grad()
def check_what_a_layer_adds(world: World) -> Any:
    """A linear layer's output with a fresh LoRA, and with known weights, next to the sum done by hand."""
    network = _network(world)
    name = next(name for name in network.unet.layers if name.endswith("attn1_to_q"))
    layer = network.unet.layers[name]
    numbers = torch.randn(5, layer.in_features)
    plain = layer.base_layer(numbers)
    fresh = layer(numbers)
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    torch.nn.init.normal_(up)
    by_hand = plain + ALPHA / DIM * (numbers @ down.T @ up.T)
    return {
        "fresh": float((fresh - plain).abs().max()),
        "added": float((layer(numbers) - by_hand).abs().max()),
        "size": float((by_hand - plain).abs().max()),
        "down": float(down.abs().max()),
    }


def check_groups(world: World) -> Any:
    """The optimizer's groups: learning rate and how many tensors, for the options that decide them."""
    cases = {
        "both": ({}, {"unet_lr": 1e-3, "text_encoder_lr": 5e-4}),
        "unet_only": ({"train_text_encoder": False}, {"unet_lr": 1e-3, "text_encoder_lr": 5e-4}),
        "text_encoder_only": ({"train_unet": False}, {"unet_lr": 1e-3, "text_encoder_lr": 5e-4}),
        "fallback": ({}, {"learning_rate": 7e-4}),
        "one": ({}, {"learning_rate": 7e-4, "text_encoder_lr": 5e-4}),
    }
    found = {}
    for name, (parts, options) in cases.items():
        optimizer = create_optimizer(_network(world, **parts), Settings(options))
        found[name] = [[group["lr"], len(group["params"])] for group in optimizer.param_groups]
    return found


def check_optimizers(world: World) -> Any:
    """The class behind each honoured name, and an argument that arrives in its groups."""
    network = _network(world)
    given = {"AdamW": "weight_decay=0.25", "Adam": "betas=(0.5, 0.6)", "SGD": "momentum=0.75"}
    given |= {"RAdam": "eps=1e-3", "NAdam": "momentum_decay=0.5"}
    found = {}
    for name, argument in given.items():
        options = {"optimizer_type": name, "optimizer_args": [argument], "learning_rate": 1e-3}
        optimizer = create_optimizer(network, Settings(options))
        found[name] = [type(optimizer).__name__, optimizer.param_groups[0][argument.partition("=")[0]]]
    return found


def _try(network: Any, file: Path) -> str:
    try:
        load_weights(network, file)
    except Exception as error:  # noqa: BLE001 - which one it is is what the test asks
        return f"{type(error).__name__}: {error}"
    return ""


def check_continuing(world: World) -> Any:
    """A LoRA is loaded tensor by tensor; files that do not fit are refused."""
    folder = world.work / "continuing"
    folder.mkdir()
    first = _network(world)
    for part in first.parts():
        for weight in part.parameters():
            torch.nn.init.normal_(weight)
    tensors = first.state_dict(torch.float32)
    save_file(tensors, folder / "good.safetensors")
    some = next(iter(tensors))
    broken = {
        "missing": {key: tensor for key, tensor in tensors.items() if key != some},
        "extra": {**tensors, "lora_unet_conv_in.alpha": torch.tensor(1.0)},
        "other_alpha": {k: torch.tensor(4.0) if k.endswith(".alpha") else v for k, v in tensors.items()},
        "other_dim": _network(world, dim=4).state_dict(torch.float32),
    }
    said = {}
    for name, content in broken.items():
        save_file(content, folder / f"{name}.safetensors")
        said[name] = _try(_network(world), folder / f"{name}.safetensors")
    (folder / "text.safetensors").write_text("<html>not here</html>")
    said["not_a_lora"] = _try(_network(world), folder / "text.safetensors")
    said["not_there"] = _try(_network(world), folder / "nowhere.safetensors")
    second = _network(world)
    said["good"] = _try(second, folder / "good.safetensors")
    loaded, given = second.state_dict(torch.float32), load_file(folder / "good.safetensors")
    return {"said": said, "equal": [torch.equal(loaded[key], given[key]) for key in given]}
