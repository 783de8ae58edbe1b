"""The numbers of a LoRA: how strongly each module and each block changes the model.

The norm is the Frobenius norm of the whole update, alpha and all: what is added to the weight at LoRA weight 1. For
thin factors it is computed from two rank x rank matrices, never from the product: ||U D||^2 = sum((U'U) * (D D')).
"""

import math
import mmap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kohya_wrap.results.inspect.modules import Module, Structure, block_order
from kohya_wrap.results.lora_file import LoraFile, TensorInfo, not_finite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Tensors = Callable[[str], "Array | None"]


@dataclass(frozen=True, slots=True)
class ModuleNorm:
    """One module's update. `norm`: None when its kind has none that the file alone tells, or it is not finite."""

    name: str
    block: str
    norm: float | None
    alpha: float | None


@dataclass(frozen=True, slots=True)
class Measures:
    """Numbers of a whole file. `blocks`: norm per block, in the order the data flows. `zero`: modules without effect.

    `bad_tensors`: keys of tensors that hold nan or inf. `unknown`: modules whose update the file alone does not tell.
    """

    modules: tuple[ModuleNorm, ...]
    blocks: Mapping[str, float]
    zero: tuple[str, ...]
    bad_tensors: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def alphas(self) -> tuple[float, ...]:
        """The different alphas in the tensors, smallest first."""
        return tuple(sorted({module.alpha for module in self.modules if module.alpha is not None}))


def measure(lora: LoraFile, structure: Structure, *, rs_lora: bool = False) -> Measures:
    """Read every tensor and give the norms; `rs_lora`: alpha is divided by the root of the rank.

    Needs no torch: bf16 and fp8 are decoded from their bits. Takes about a second for 100 million numbers.
    """
    bad = not_finite(lora)
    with lora.path.open("rb") as file:
        if not lora.tensors or lora.data_offset == file.seek(0, 2):
            return Measures((), {}, (), bad, ())
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            modules = tuple(_module_norm(view, lora, module, rs_lora=rs_lora) for module in structure.modules)
    return Measures(
        modules=modules,
        blocks=_blocks(modules),
        zero=tuple(module.name for module in modules if module.norm == 0),
        bad_tensors=bad,
        unknown=tuple(module.name for module in modules if module.norm is None),
    )


def _blocks(modules: tuple[ModuleNorm, ...]) -> dict[str, float]:
    squares: dict[str, float] = {}
    for module in modules:
        if module.norm is not None:
            squares[module.block] = squares.get(module.block, 0.0) + module.norm**2
    return {block: math.sqrt(squares[block]) for block in sorted(squares, key=block_order)}


def _module_norm(view: mmap.mmap, lora: LoraFile, module: Module, *, rs_lora: bool) -> ModuleNorm:
    import numpy as np  # noqa: PLC0415 - 0.1 s that the header part does not need

    def tensor(part: str) -> "Array | None":
        info = module.tensors.get(part)
        return None if info is None else read_tensor(view, lora, info)

    stored = tensor("alpha")
    alpha = float(stored.reshape(-1)[0]) if stored is not None and stored.size else None
    alpha = alpha if alpha is not None and math.isfinite(alpha) else None
    with np.errstate(all="ignore"):
        norm = _norm_of(tensor, module)
        scale = _scale(module, alpha, rs_lora=rs_lora)
    whole = None if norm is None or not math.isfinite(norm * scale) else norm * scale
    return ModuleNorm(module.name, module.block, whole, alpha)


def _scale(module: Module, alpha: float | None, *, rs_lora: bool) -> float:
    """Alpha over rank; without alpha, or without thin factors, an update is used as it is."""
    if alpha is None or not module.rank:
        return 1.0
    return abs(alpha) / (math.sqrt(module.rank) if rs_lora else module.rank)


def _norm_of(tensor: "Tensors", module: Module) -> float | None:
    parts = module.tensors.keys()
    if {"up", "down"} <= parts:
        return _thin_norm(tensor("up"), tensor("down"), tensor("mid"))
    if {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"} <= parts:
        first, second = (_product(tensor, f"hada_w{n}_a", f"hada_w{n}_b", f"hada_t{n}") for n in (1, 2))
        return None if first is None or second is None or first.shape != second.shape else _frobenius(first * second)
    if any(part.startswith("lokr_w1") for part in parts):
        first, second = (_lokr_factor(tensor, n) for n in (1, 2))
        return None if first is None or second is None else _frobenius(first) * _frobenius(second)
    if "diff" in parts:
        whole = tensor("diff")
        return None if whole is None else _frobenius(whole)
    return None


def _frobenius(values: "Array") -> float:
    flat = values.reshape(-1)
    return math.sqrt(abs(float(flat @ flat)))


def _thin_norm(up: "Array | None", down: "Array | None", mid: "Array | None") -> float | None:
    import numpy as np  # noqa: PLC0415

    if up is None or down is None or up.ndim < 2 or down.ndim < 2:
        return None
    columns, rows = up.reshape(up.shape[0], -1), down.reshape(down.shape[0], -1)
    if mid is not None:  # a convolution in three pieces: one small matrix per pixel of the kernel
        middle = mid.reshape(*mid.shape[:2], -1) if mid.ndim > 1 else mid
        if middle.ndim != 3 or (columns.shape[1], rows.shape[0]) != middle.shape[:2]:
            return None
        inner = np.einsum("ijp,jk,lkp->il", middle, rows @ rows.T, middle, optimize=True)
    elif columns.shape[1] != rows.shape[0]:
        return None
    else:
        inner = rows @ rows.T
    square = np.sum((columns.T @ columns) * inner)
    return float(np.sqrt(np.maximum(square, 0)))  # rounding can take it below 0; nan stays nan


def _product(tensor: "Tensors", left: str, right: str, core: str) -> "Array | None":
    """Multiply two factors, through a core tensor where there is one (LyCORIS' Tucker form)."""
    import numpy as np  # noqa: PLC0415

    first, second, middle = tensor(left), tensor(right), tensor(core)
    if first is None or second is None or first.ndim < 2 or second.ndim < 2:
        return None
    if middle is not None:
        if middle.ndim < 3 or middle.shape[:2] != (first.shape[0], second.shape[0]):
            return None
        return np.asarray(
            np.einsum("ijp,io,jk->okp", middle.reshape(*middle.shape[:2], -1), first, second, optimize=True)
        )
    first, second = first.reshape(first.shape[0], -1), second.reshape(second.shape[0], -1)
    return first @ second if first.shape[1] == second.shape[0] else None


def _lokr_factor(tensor: "Tensors", number: int) -> "Array | None":
    whole = tensor(f"lokr_w{number}")
    return whole if whole is not None else _product(tensor, f"lokr_w{number}_a", f"lokr_w{number}_b", "lokr_t2")


_PLAIN = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I8": "<i1", "U8": "<u1", "I16": "<i2", "I32": "<i4", "I64": "<i8"}


def read_tensor(view: mmap.mmap, lora: LoraFile, info: TensorInfo) -> "Array | None":
    """Read one tensor as float64; None for a numeric type that is not known, or a shape that does not fit its bytes."""
    import numpy as np  # noqa: PLC0415

    start, size, count = lora.data_offset + info.begin, info.end - info.begin, math.prod(info.shape)
    width = {"BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}.get(info.dtype) or np.dtype(_PLAIN.get(info.dtype, "V0")).itemsize
    if not width or count * width != size:
        return None
    data = view[start : start + size]
    if info.dtype == "BF16":  # the upper half of a float32
        values = (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    elif info.dtype == "F8_E5M2":  # the upper half of a float16
        values = (np.frombuffer(data, "<u1").astype("<u2") << 8).view("<f2")
    elif info.dtype == "F8_E4M3":
        values = _e4m3()[np.frombuffer(data, "<u1")]
    else:
        values = np.frombuffer(data, _PLAIN[info.dtype])
    return values.astype(np.float64).reshape(info.shape)


def _e4m3() -> "Array":
    """Give the 256 values of an 8-bit float with 4 bits of exponent (bias 7) and 3 of mantissa; all ones is nan."""
    import numpy as np  # noqa: PLC0415

    bits = np.arange(256)
    exponent, mantissa = (bits >> 3) & 15, (bits & 7) / 8
    values = np.where(exponent == 0, mantissa * 2.0**-6, (1 + mantissa) * 2.0 ** (exponent - 7.0))
    values[(bits & 127) == 127] = np.nan
    return np.asarray(np.where(bits & 128, -values, values))
