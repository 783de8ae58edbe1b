"""Several LoRAs as one: the sum of their updates, each by its weight, exactly.

sd-scripts' merge_lora.py scales both factors of an update by the ratio it is given, so that an update counts by the
ratio's square, and with --concat it leaves the divisor of the larger rank to the reader. So it is given the ratios that
make both right, and each module's alpha is set afterwards: merging A:0.6 and B:0.4 is what `<lora:A:0.6><lora:B:0.4>`
draws. Source: sd-scripts, networks/merge_lora.py.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.engines.tools import Tools
from kohya_wrap.errors import BadResultError
from kohya_wrap.results.inspect import LoraHeader
from kohya_wrap.results.inspect.modules import TITLES
from kohya_wrap.results.lora_file import LoraFile, hashes, read_lora, write_with_metadata
from kohya_wrap.results.rework.output import check_target, make, precision_of, ranks_of, read_input

_TYPES = {"F16": "<f2", "F32": "<f4"}


@dataclass(frozen=True, slots=True)
class Part:
    """A LoRA to add, and how much of it: what stands in <lora:NAME:WEIGHT>."""

    path: Path
    weight: float = 1.0


def merge(parts: Sequence[Part], out: Path, *, tools: Tools) -> LoraHeader:
    """Write the weighted sum of LoRAs, whose rank in each module is the sum of theirs. Returns what it is.

    Raises BadResultError for what cannot be added, OutputError where `out` is there, TrainingError where the tool
    fails.
    """
    check_target(out, *(part.path for part in parts))
    headers = [read_input(part.path) for part in parts]
    _check_weights(parts)
    _check_fit(parts, headers)
    own = [ranks_of(header) for header in headers]
    usual = [_usual(ranks) for ranks in own]
    factors = _factors(parts, own, usual)
    ratios = [
        math.copysign(math.sqrt(abs(part.weight) / rank), part.weight) for part, rank in zip(parts, usual, strict=True)
    ]
    total = {name: sum(ranks.get(name, 0) for ranks in own) for name in factors}

    def write(target: Path) -> None:
        made = target.parent / "tool" / target.name  # the tool takes the title from the name
        made.parent.mkdir()
        tools.run(
            "merge_lora.py",
            [
                *("--models", *(str(part.path.absolute()) for part in parts)),
                *("--ratios", *(repr(ratio) for ratio in ratios)),
                *("--concat", "--save_precision", precision_of(*headers), "--save_to", made.name),
            ],
            work=made.parent.absolute(),
        )
        _set_alphas(read_lora(made), {name: total[name] * factor for name, factor in factors.items()})
        _describe(read_lora(made), target, parts, total)

    return make(out, total, write)


def _check_weights(parts: Sequence[Part]) -> None:
    if len(parts) < 2:
        raise BadResultError("merging takes two LoRAs or more", todo="give FILE:WEIGHT FILE:WEIGHT …")
    for part in parts:
        if not math.isfinite(part.weight) or part.weight == 0:
            what = f"the weight {part.weight:g} adds nothing that could be drawn"
            raise BadResultError(what, where=str(part.path), todo="give a number other than 0, as FILE:0.6")


def _check_fit(parts: Sequence[Part], headers: Sequence[LoraHeader]) -> None:
    families = {header.family for header in headers} - {"unknown"}
    if len(families) > 1:
        said = ", ".join(
            f"{part.path.name}: {TITLES[header.family]}" for part, header in zip(parts, headers, strict=True)
        )
        raise BadResultError(f"the LoRAs are of different families ({said})", todo="merge those of one family")
    shapes: dict[str, tuple[int, ...]] = {}
    for part, header in zip(parts, headers, strict=True):
        for module in header.structure.modules:
            down, up = (module.tensors[each].shape for each in ("down", "up"))
            if shapes.setdefault(module.name, (up[0], *down[1:])) != (up[0], *down[1:]):
                what = f"{module.name} has another shape than in the others"
                raise BadResultError(what, where=str(part.path), todo="merge LoRAs of one base model's family")


def _usual(ranks: Mapping[str, int]) -> int:
    """Give the rank that most modules have."""
    counted = list(ranks.values())
    return max(set(counted), key=lambda rank: (counted.count(rank), rank))


def _factors(parts: Sequence[Part], own: Sequence[Mapping[str, int]], usual: Sequence[int]) -> dict[str, float]:
    """Give, for each module, by how much its rank is off its file's usual one; that must be the same in all files."""
    factors: dict[str, float] = {}
    for part, ranks, rank in zip(parts, own, usual, strict=True):
        for name, each in ranks.items():
            if not math.isclose(factors.setdefault(name, rank / each), rank / each):
                what = f"the ranks of {name} stand in another relation to the other ranks than in the other files"
                todo = "bring each to one rank first: kohya-wrap lora resize"
                raise BadResultError(what, where=str(part.path), todo=todo)
    return factors


def _set_alphas(made: LoraFile, factors: Mapping[str, float]) -> None:
    """Multiply each module's alpha in place."""
    import numpy as np  # noqa: PLC0415 - slow to import, and few commands need it

    with made.path.open("r+b") as file:
        for name, factor in factors.items():
            tensor = made.tensors[f"{name}.alpha"]
            kind = np.dtype(_TYPES[tensor.dtype])
            file.seek(made.data_offset + tensor.begin)
            alpha = np.frombuffer(file.read(kind.itemsize), kind)
            file.seek(made.data_offset + tensor.begin)
            file.write((alpha * factor).astype(kind).tobytes())


def _describe(made: LoraFile, target: Path, parts: Sequence[Part], ranks: Mapping[str, int]) -> None:
    """Write the file with metadata that is true of it."""
    dims = set(ranks.values())
    comment = "merged from " + ", ".join(f"{part.path.stem}:{part.weight:g}" for part in parts)
    changes = {
        "ss_network_dim": str(dims.pop()) if len(dims) == 1 else "Dynamic",
        "ss_network_alpha": "Dynamic",
        "ss_training_comment": comment,
        "sshs_model_hash": hashes(made)[1],
    }
    write_with_metadata(made, target, changes, without=("sshs_legacy_hash",))
