"""A LoRA of a smaller rank that does as nearly the same as can be. Source: sd-scripts, networks/resize_lora.py."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kohya_wrap.engines.tools import Tools
from kohya_wrap.errors import BadResultError
from kohya_wrap.results.inspect import LoraHeader
from kohya_wrap.results.rework.output import check_target, make, precision_of, ranks_of, read_input

Method = Literal["sv_ratio", "sv_fro", "sv_cumulative"]


@dataclass(frozen=True, slots=True)
class Resizing:
    """`rank`: of every module; with a `method`, at most. `conv_rank`: of 3 x 3 convolutions, 0: as `rank`.

    `method`: each module gets the rank that keeps `keep`: of its largest singular value over the smallest kept
    (sv_ratio, above 1), of its norm (sv_fro, below 1), of the sum of its singular values (sv_cumulative, below 1).
    """

    rank: int
    conv_rank: int = 0
    method: Method | None = None
    keep: float = 0.0
    device: str = "cpu"


def resize(path: Path, out: Path, wanted: Resizing, *, tools: Tools) -> LoraHeader:
    """Write a LoRA with its ranks reduced; returns what it is.

    Raises BadResultError for what cannot be resized, OutputError where `out` is there, TrainingError where the tool
    fails.
    """
    check_target(out, path)
    header = read_input(path)
    _check(wanted, header)
    arguments = [
        *("--model", str(path.absolute()), "--new_rank", str(wanted.rank), "--device", wanted.device),
        *("--new_conv_rank", str(wanted.conv_rank or wanted.rank), "--save_precision", precision_of(header)),
    ]
    if wanted.method:
        arguments += ["--dynamic_method", wanted.method, "--dynamic_param", repr(wanted.keep)]

    def write(target: Path) -> None:
        tools.run("resize_lora.py", [*arguments, "--save_to", target.name], work=target.parent.absolute())

    # At most: a module that does nothing is brought to rank 1.
    return make(out, _planned(header, wanted), write, at_most=True)


def _check(wanted: Resizing, header: LoraHeader) -> None:
    if wanted.rank < 1 or wanted.conv_rank < 0:
        raise BadResultError(f"a rank of {min(wanted.rank, wanted.conv_rank)} is none", todo="give --rank 1 or more")
    if wanted.method:
        above = wanted.method == "sv_ratio"
        if not math.isfinite(wanted.keep) or (wanted.keep <= 1 if above else not 0 < wanted.keep < 1):
            limits = "above 1" if above else "between 0 and 1"
            raise BadResultError(f"--keep of {wanted.method} is {limits}, not {wanted.keep:g}")
    largest = max(ranks_of(header).values())
    if wanted.rank > largest or (wanted.rank == largest and not wanted.method and not wanted.conv_rank):
        what = f"its largest rank is {largest}; {wanted.rank} would not make it smaller"
        raise BadResultError(what, where=str(header.file.path), todo="give a smaller --rank")


def _planned(header: LoraHeader, wanted: Resizing) -> dict[str, int]:
    """Give the rank that each module will have. A 1 x 1 convolution counts as one for the tool."""
    planned = {}
    for module in header.structure.modules:
        shape = module.tensors["down"].shape
        rank = (wanted.conv_rank or wanted.rank) if len(shape) == 4 else wanted.rank
        planned[module.name] = min(rank, math.prod(shape[1:]), module.tensors["up"].shape[0])
    return planned
