"""kohya-wrap lora merge, and lora resize."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from kohya_wrap.cli.lora_text import lora_rows
from kohya_wrap.cli.output import print_rows
from kohya_wrap.engines.tools import Tools
from kohya_wrap.launch.signals import raise_on_stop_signals
from kohya_wrap.paths import CachePaths
from kohya_wrap.results.inspect import LoraHeader
from kohya_wrap.results.rework import Part, Resizing
from kohya_wrap.results.rework import merge as merge_loras
from kohya_wrap.results.rework import resize as resize_lora
from kohya_wrap.results.rework.output import check_target
from kohya_wrap.results.rework.resize import Method

Out = Annotated[Path, typer.Option("--out", "-o", help="The new LoRA; never takes the place of another file.")]
Device = Annotated[str, typer.Option(help="Where the numbers are worked out: cpu, or cuda.")]


def merge(
    files: Annotated[
        list[str], typer.Argument(help="LoRAs, each with its weight, 1 where none is said.", metavar="FILE[:WEIGHT]…")
    ],
    out: Out,
    rank: Annotated[
        int, typer.Option(help="Bring the result to this rank (default: the sum of the ranks).", show_default=False)
    ] = 0,
    device: Device = "cpu",
) -> None:
    """Add LoRAs up: the new one does what they would together at these weights, exactly unless --rank is given."""
    parts = [_part(text) for text in files]
    check_target(out, *(part.path for part in parts))
    with raise_on_stop_signals():
        tools = Tools.ready(CachePaths.from_environment(), typer.echo)
        typer.echo(f"adding {len(parts)} LoRAs …")
        if not rank:
            made = merge_loras(parts, out, tools=tools)
        else:
            with TemporaryDirectory(prefix="kohya-wrap-") as folder:
                whole = merge_loras(parts, Path(folder) / "merged.safetensors", tools=tools)
                made = _resize(whole.file.path, out, Resizing(rank, device=device), tools)
    _print(made)


def resize(  # noqa: PLR0913, PLR0917 - one line for each option of the verb
    file: Annotated[Path, typer.Argument(help="The LoRA; it stays as it is.", metavar="FILE", show_default=False)],
    out: Out,
    rank: Annotated[int, typer.Option(help="The new rank; with --method the largest one.", min=1)],
    conv_rank: Annotated[
        int, typer.Option(help="Of 3 x 3 convolutions (default: --rank).", min=0, show_default=False)
    ] = 0,
    method: Annotated[Method | None, typer.Option(help="Let each module have as little as keeps --keep of it.")] = None,
    keep: Annotated[
        float, typer.Option(help="With sv_fro or sv_cumulative a part, as 0.9; with sv_ratio a ratio, as 20.")
    ] = 0.0,
    device: Device = "cpu",
) -> None:
    """Make a LoRA smaller: the nearest one of a lower rank."""
    check_target(out, file)
    with raise_on_stop_signals():
        tools = Tools.ready(CachePaths.from_environment(), typer.echo)
        made = _resize(file, out, Resizing(rank, conv_rank, method, keep, device), tools)
    _print(made)


def _resize(file: Path, out: Path, wanted: Resizing, tools: Tools) -> LoraHeader:
    typer.echo(f"bringing {file.name} to rank {wanted.rank} …")
    return resize_lora(file, out, wanted, tools=tools)


def _part(text: str) -> Part:
    """Read FILE or FILE:WEIGHT; a colon may stand in a file's name."""
    name, colon, weight = text.rpartition(":")
    if colon and not Path(text).exists():
        try:
            return Part(Path(name).expanduser(), float(weight))
        except ValueError:
            pass
    return Part(Path(text).expanduser())


def _print(made: LoraHeader) -> None:
    print_rows(lora_rows(made, None, None))
