"""The original code's names for the modules of a U-Net, as LoRAs of SDXL have them. Plain Python, no torch."""

import re
from collections.abc import Iterable

_PLAIN = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_MIDDLE = {"resnets.0": "0", "attentions.0": "1", "resnets.1": "2"}
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_BLOCK = re.compile(r"(down_blocks|up_blocks)\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)(?:\.(.+))?")
_MID = re.compile(r"mid_block\.(resnets\.\d|attentions\.\d)(?:\.(.+))?")


def original_names(names: Iterable[str], layers: int) -> dict[str, str]:
    """Map diffusers' names of modules to the original ones; what has none is left out.

    `layers`: layers_per_block of the U-Net.
    """
    listed = list(names)
    attends = {".".join(name.split(".")[:2]) for name in listed if ".attentions." in name}
    found = {name: _original(name, layers, attends) for name in listed}
    return {name: original for name, original in found.items() if original}


def _original(name: str, layers: int, attends: set[str]) -> str:
    if middle := _MID.fullmatch(name):
        return _joined(f"middle_block.{_MIDDLE[middle[1]]}", middle[1], middle[2])
    block = _BLOCK.fullmatch(name)
    if block is None:
        return _PLAIN.get(name, "")
    side, number, kind, place, rest = block[1], int(block[2]), block[3], int(block[4]), block[5]
    if kind == "downsamplers":
        return f"input_blocks.{(number + 1) * (layers + 1)}.0.op" if rest == "conv" else ""
    if kind == "upsamplers":
        # It stands behind the last resnet, and its attention where the block has one.
        last = f"output_blocks.{number * (layers + 1) + layers}"
        return f"{last}.{1 + (f'{side}.{number}' in attends)}.conv" if rest == "conv" else ""
    at = number * (layers + 1) + place
    start = f"input_blocks.{at + 1}" if side == "down_blocks" else f"output_blocks.{at}"
    return _joined(f"{start}.{int(kind == 'attentions')}", kind, rest)


def _joined(start: str, kind: str, rest: str | None) -> str:
    if not rest:
        return start
    return f"{start}.{_RESNET.get(rest, rest) if kind.startswith('resnets') else rest}"
