"""Whether two LoRAs hold the same numbers, and if not, how far apart they are."""

import mmap
from dataclasses import dataclass

from kohya_wrap.results.inspect.norms import read_tensor
from kohya_wrap.results.lora_file import LoraFile, hashes


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """How two LoRAs differ. `largest`: the largest absolute difference of two numbers, in tensor `where`.

    `missing`: tensors that only one of them has, or in another shape or type.
    """

    largest: float = 0.0
    where: str = ""
    missing: tuple[str, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether there is no difference at all."""
        return not self.missing and self.where == ""


def tensor_difference(first: LoraFile, second: LoraFile) -> TensorDifference:
    """Compare two LoRAs number by number; identical bytes are seen by their hash alone. Raises OSError."""
    if first.tensors == second.tensors and hashes(first)[1] == hashes(second)[1]:
        return TensorDifference()
    import numpy as np  # noqa: PLC0415 - 0.1 s that only a difference needs

    names = first.tensors.keys() | second.tensors.keys()
    shapes = [{name: (info.dtype, info.shape) for name, info in lora.tensors.items()} for lora in (first, second)]
    missing = tuple(sorted(name for name in names if shapes[0].get(name) != shapes[1].get(name)))
    largest, where = 0.0, ""
    with _mapped(first) as view, _mapped(second) as other:
        for name in sorted(names - set(missing)):
            one = read_tensor(view, first, first.tensors[name])
            two = read_tensor(other, second, second.tensors[name])
            if one is None or two is None or not one.size or np.array_equal(one, two, equal_nan=True):
                continue
            distance = float(np.nanmax(np.abs(one - two), initial=0.0))
            if distance > largest or not where:
                largest, where = distance, name
    return TensorDifference(largest, where, missing)


def _mapped(lora: LoraFile) -> mmap.mmap:
    with lora.path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
