"""LoRAs in kohya's format, added to the weights of a model and taken out again without a trace.

The update of a module is alpha / rank * up @ down; LoHa's is the product, number by number, of two such. Convolutions
likewise; a core tensor between up and down (LyCORIS's use_tucker) belongs to the convolution's window.
Source: kohya's key names (networks/lora.py); Yeh et al. 2023, LyCORIS, arXiv 2309.14859.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from lines import Refused
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

LORA = frozenset({"lora_up.weight", "lora_down.weight", "lora_mid.weight", "alpha"})
LOHA = frozenset(f"hada_{part}" for part in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")) | {"alpha"}
OTHERS = {"lokr_": "LoKr", "dora_": "DoRA", "oft_": "OFT", "on_input": "(IA)^3", "diff": "full differences",
          "a1.": "GLoRA", "w_norm": "trained norms", "b_norm": "trained norms"}  # fmt: skip
"""How parameters begin that are known and not drawn -> what they are."""
OTHER_FAMILIES = (("lora_te1_", "SDXL"), ("lora_te2_", "SDXL"), ("lora_unet_input_blocks", "SDXL"),
                  ("lora_te_", "Stable Diffusion 1.x or 2.x"), ("lora_unet_double_blocks", "Flux"),
                  ("lora_unet_joint_blocks", "SD 3"))  # fmt: skip

Tensors = Mapping[str, torch.Tensor]
Wanted = Sequence[tuple[Path, float]]


class Loras:
    """The modules of a base model by kohya's names, and what is added to them just now."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        self._modules = modules
        self._originals: dict[str, torch.Tensor] = {}
        self._applied: Wanted | None = ()

    def problems(self, path: Path) -> Iterator[tuple[str, str, str]]:
        """Say what keeps a LoRA from being added, from its header alone."""
        todo = "draw it with the base model that it was trained on, or one of the same family"
        with safe_open(path, framework="pt") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - no mapping
        modules = _by_module(shapes)
        for name, parts in modules.items():
            if unknown := set(parts) - LORA and set(parts) - LOHA:
                what = f"{name}.{min(unknown)} is {_algorithm(unknown)}; LoRA, LoCon and LoHa can be drawn"
                yield what, str(path), "draw it with a web UI (samples.draw_with)"
                return
        strangers = [name for name in modules if name not in self._modules]
        if strangers:
            family = next(
                (family for start, family in OTHER_FAMILIES for name in strangers if name.startswith(start)), ""
            )
            of = f"a LoRA of {family}" if family else "a LoRA of another family"
            what = f"this is {of}: {len(strangers)} of its {len(modules)} modules are not in the base model"
            yield f"{what}, {strangers[0]} for one", str(path), todo
            return
        for name, parts in modules.items():
            if not _fits(parts, self._modules[name].weight):
                size = "x".join(str(side) for side in self._modules[name].weight.shape)
                yield f"{name} does not fit the base model's weight of {size}", str(path), todo
                return

    def apply(self, wanted: Wanted) -> None:
        """Make the weights the original ones with these LoRAs added, each (file, weight). Raises Refused."""
        if tuple(wanted) == self._applied:
            return
        files = files_of(wanted)
        self._applied = None
        names = dict.fromkeys(name for _, modules, _ in files for name in modules)
        self._restore([name for name in self._originals if name not in names])
        for name in names:
            target = self._modules[name].weight.data
            if name not in self._originals:
                self._originals[name] = target.clone()
            updates = [
                _checked(name, path, modules[name], target, weight)
                for path, modules, weight in files
                if name in modules
            ]
            # Summed in fp32, so that fp16 rounds once.
            total = updates[0]
            for each in (*updates[1:], self._originals[name]):
                total += each
            target.copy_(total)
        self._applied = tuple(wanted)

    def restore(self) -> None:
        """Make the weights the original ones, bit by bit."""
        self.apply(())

    def _restore(self, names: Sequence[str]) -> None:
        for name in names:
            self._modules[name].weight.data.copy_(self._originals.pop(name))


def check_files(paths: Sequence[Path]) -> Iterator[tuple[str, str, str]]:
    """Say which of the LoRAs are not whole .safetensors files, before anything is loaded."""
    for path in paths:
        try:
            with safe_open(path, framework="pt") as file:
                if not file.keys():
                    yield "this LoRA holds no tensors", str(path), "train it again"
        except (SafetensorError, OSError) as error:
            yield f"this is not a whole .safetensors file: {error}", str(path), "copy or train it again"


def update_of(parts: Tensors, shape: torch.Size, weight: float = 1.0) -> torch.Tensor:
    """Give what a module's LoRA adds to a weight of that shape, in fp32."""
    parts = {name: part.float() for name, part in parts.items()}
    small = "hada_w1_a" if "hada_w1_a" in parts else "lora_up.weight"
    # The factor goes to one of the small matrices: the product is as large as the weight itself.
    return _product({**parts, small: parts[small] * (scale_of(parts) * weight)}).reshape(shape)


def scale_of(parts: Tensors) -> float:
    """Give alpha over rank; 1 where there is no alpha."""
    down = parts["hada_w1_b" if "hada_w1_a" in parts else "lora_down.weight"]
    return float(parts["alpha"]) / down.shape[0] if "alpha" in parts else 1.0


def _product(parts: Tensors) -> torch.Tensor:
    """Multiply a module's matrices, without alpha. Raises KeyError or RuntimeError where they do not fit together."""
    if "hada_w1_a" in parts:
        return _half(parts, "1").mul_(_half(parts, "2"))
    up, down = parts["lora_up.weight"].flatten(1), parts["lora_down.weight"].flatten(1)
    if "lora_mid.weight" in parts:
        return torch.einsum("o i, i j k l, j m -> o m k l", up, parts["lora_mid.weight"], down)
    return up @ down


def _half(parts: Tensors, which: str) -> torch.Tensor:
    first, second, core = (parts.get(f"hada_{name}{which}{end}") for name, end in (("w", "_a"), ("w", "_b"), ("t", "")))
    if core is None:
        return first @ second
    return torch.einsum("i j k l, j m, i o -> o m k l", core, second, first)


def _fits(shapes: Mapping[str, tuple[int, ...]], weight: torch.Tensor) -> bool:
    """Say whether matrices of these shapes make an update of the weight's shape; nothing is computed."""
    try:
        product = _product({name: torch.empty(shape, device="meta") for name, shape in shapes.items()})
    except (KeyError, RuntimeError, IndexError, TypeError):
        return False
    return product.shape[0] == weight.shape[0] and product.numel() == weight.numel()


def _checked(name: str, path: Path, parts: Tensors, target: torch.Tensor, weight: float) -> torch.Tensor:
    return update_of(checked_parts(name, path, parts, target), target.shape, weight)


def checked_parts(name: str, path: Path, parts: Tensors, target: torch.Tensor) -> Tensors:
    """Give a module's parts where the target is. Raises Refused where they hold what is no number."""
    if not all(bool(part.isfinite().all()) for part in parts.values()):
        what = f"{name} is not finite: the training went wrong"
        raise Refused((what, str(path), "draw an earlier epoch, and train with a lower learning rate"))
    return {key: part.to(target.device) for key, part in parts.items()}


def files_of(wanted: Wanted) -> list[tuple[Path, dict[str, dict], float]]:
    """Read LoRAs: for each the file, its parts by module, its weight. Raises Refused."""
    return [(path, _by_module(_load(path)), weight) for path, weight in wanted]


def _by_module(parts: Mapping[str, object]) -> dict[str, dict]:
    modules: dict[str, dict] = {}
    for key, part in parts.items():
        name, _, parameter = key.partition(".")
        modules.setdefault(name, {})[parameter] = part
    return modules


def _load(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise Refused((f"the LoRA cannot be read: {error}", str(path), "copy or train it again")) from error


def _algorithm(unknown: set[str]) -> str:
    found = [title for start, title in OTHERS.items() if any(name.startswith(start) for name in unknown)]
    return f"a parameter of {found[0]}" if found else "no parameter of a LoRA that is known"
