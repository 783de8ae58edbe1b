"""What the tools are given and what they leave: checked before, checked after, and whole or not there."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from kohya_wrap.errors import BadResultError, OutputError
from kohya_wrap.files import give_name, output_error
from kohya_wrap.results.inspect import LoraHeader, inspect_header
from kohya_wrap.results.inspect.modules import Module
from kohya_wrap.results.lora_file import not_finite

ENDING = ".safetensors"
_KINDS = frozenset({"LoRA", "LoCon"})


def read_input(path: Path) -> LoraHeader:
    """Read a LoRA that the tools understand. Raises BadResultError."""
    header = inspect_header(path)
    where = str(path)
    if header.structure.kind not in _KINDS:
        what = f"is a {header.structure.kind}; sd-scripts' tools read LoRA and LoCon"
        raise BadResultError(what, where=where, todo="give another file")
    odd = [module.name for module in header.structure.modules if not _is_kohya_s(header, module)]
    if odd:
        what = f"is not written as kohya writes it (first: {odd[0]})"
        raise BadResultError(what, where=where, todo="convert it to kohya's names first")
    if bad := not_finite(header.file):
        raise BadResultError(f"{len(bad)} tensors hold nan or inf (first: {bad[0]})", where=where, todo="use another")
    return header


def _is_kohya_s(header: LoraHeader, module: Module) -> bool:
    names = header.file.tensors
    return all(f"{module.name}.{part}.weight" in names for part in ("lora_down", "lora_up")) and "mid" not in (
        module.tensors
    )


def ranks_of(header: LoraHeader) -> dict[str, int]:
    """Give the rank of each module by its name."""
    return {module.name: module.rank for module in header.structure.modules}


def precision_of(*headers: LoraHeader) -> str:
    """Give the numeric type to save in, as the tools name it: fp16 where all have it, else full."""
    return "fp16" if all(set(header.numeric_types) <= {"F16"} for header in headers) else "float"


def check_target(out: Path, *inputs: Path) -> None:
    """Raise OutputError where `out` could not be written, before anything long is begun."""
    if out.suffix != ENDING:
        raise OutputError(f"does not end in {ENDING}", where=str(out), todo=f"give --out NAME{ENDING}")
    if any(out.resolve() == path.resolve() for path in inputs):
        raise OutputError("is one of the files that it would be made of", where=str(out), todo="give another name")
    if out.exists():
        raise OutputError("is there already", where=str(out), todo="give another name, or move it away")


def make(out: Path, ranks: Mapping[str, int], write: Callable[[Path], None], *, at_most: bool = False) -> LoraHeader:
    """Have `write` make a file, check it (`ranks`: of each module it must have, or at most), and give it its name.

    Raises BadResultError, OutputError, DiskFullError, and what `write` raises; nothing is left then.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".lora-") as folder:
            made = Path(folder) / out.name
            write(made)
            _check(made, ranks, at_most=at_most)
            give_name(made, out)
    except OSError as error:
        raise output_error(error, out) from error
    return inspect_header(out)


def _check(made: Path, ranks: Mapping[str, int], *, at_most: bool) -> None:
    header = inspect_header(made)
    if bad := not_finite(header.file):
        raise BadResultError(f"{len(bad)} tensors of what came out hold nan or inf (first: {bad[0]})", where=str(made))
    found = ranks_of(header)
    right = found.keys() == ranks.keys() and all(
        found[name] == rank or (at_most and found[name] <= rank) for name, rank in ranks.items()
    )
    if not right:
        raise BadResultError("what came out has other modules or ranks than planned", where=str(made))
