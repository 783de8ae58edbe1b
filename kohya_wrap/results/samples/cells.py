"""From prompts, epochs and weights to the pictures to draw: one cell of a grid each, weight 0 once for all epochs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from kohya_wrap.engines.drawing.types import Picture, UsedLora
from kohya_wrap.errors import BadResultError
from kohya_wrap.results.lora_file import hashes, read_lora
from kohya_wrap.results.publish import Lora
from kohya_wrap.results.samples.embeddings import FoundEmbedding
from kohya_wrap.results.samples.embeddings import used as used_embeddings
from kohya_wrap.results.samples.loras import FoundLora
from kohya_wrap.results.samples.prompts import Prompt
from kohya_wrap.results.samples.shelf import Shelf
from kohya_wrap.results.samples.text import Base, parameters_text

Epochs = Literal["last", "all"] | Sequence[int]


@dataclass(frozen=True, slots=True)
class Row:
    """One epoch of a grid, with its LoRA, or why there is none."""

    epoch: int
    lora: Lora | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of a grid. `epoch` is 0 for the base model alone. `picture`: None for the `reason`."""

    epoch: int
    weight: float
    picture: Picture | None = None
    reason: str = ""
    there: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """The pictures of one prompt: a cell for every row and weight; those of weight 0 are one and the same."""

    prompt: Prompt
    rows: tuple[Row, ...]
    weights: tuple[float, ...]
    cells: Mapping[tuple[int, float], Cell]

    def unique(self) -> Iterator[Cell]:
        """Give every cell once, that of the base model first."""
        yield from dict.fromkeys(sorted(self.cells.values(), key=lambda cell: (cell.epoch, cell.weight)))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be drawn. `others`: the LoRAs that prompts ask for, by name; `embeddings` likewise.

    `project`: names the base model's pictures.
    """

    prompts: tuple[Prompt, ...]
    rows: tuple[Row, ...]
    weights: tuple[float, ...]
    base: Base
    project: str
    others: Mapping[str, FoundLora] = field(default_factory=dict)
    embeddings: Mapping[str, FoundEmbedding] = field(default_factory=dict)


def rows_of(loras: Sequence[Lora], epochs: Epochs) -> tuple[Row, ...]:
    """Choose epochs of a run, and look at each LoRA's file: it must be there, and still be what the run left."""
    by_epoch = {lora.epoch: lora for lora in loras}
    if not by_epoch:
        return ()
    chosen: Sequence[int]
    if isinstance(epochs, str):
        chosen = [max(by_epoch)] if epochs == "last" else sorted(by_epoch)
    else:
        chosen = sorted(set(epochs))
    return tuple(_row(epoch, by_epoch.get(epoch)) for epoch in chosen)


def _row(epoch: int, lora: Lora | None) -> Row:
    if lora is None:
        return Row(epoch, None, f"the run kept no LoRA of epoch {epoch}")
    name = lora.path.name
    if not lora.path.is_file():
        return Row(epoch, None, f"{name} is no longer there")
    try:
        same = hashes(read_lora(lora.path))[1] == lora.tensors_sha256
    except BadResultError as error:
        return Row(epoch, None, f"{name}: {error.what}")
    return Row(epoch, lora) if same else Row(epoch, None, f"{name} is no longer what the run left")


def lay_out(wanted: Wanted, shelf: Shelf) -> tuple[Block, ...]:
    """Give the blocks of a grid, one per prompt; each picture has its file's name, and is said to be there or not."""
    return tuple(_block(prompt, wanted, shelf) for prompt in wanted.prompts)


def pictures_to_draw(blocks: Sequence[Block]) -> tuple[Picture, ...]:
    """List what is not there yet, each once; those of one LoRA together, so that a drawer changes it seldom."""
    cells = [(cell, block.prompt.number) for block in blocks for cell in block.unique()]
    cells.sort(key=lambda pair: (pair[0].epoch, pair[0].weight, pair[1]))
    found = [cell.picture for cell, _ in cells if cell.picture is not None and not cell.there]
    return tuple({picture.target: picture for picture in found}.values())


def _block(prompt: Prompt, wanted: Wanted, shelf: Shelf) -> Block:
    weights = tuple(dict.fromkeys(weight or 0.0 for weight in wanted.weights))
    cells: dict[tuple[int, float], Cell] = {}
    base = _cell(prompt, None, 0.0, wanted, shelf) if 0.0 in weights else None
    for row in wanted.rows:
        for weight in weights:
            cells[row.epoch, weight] = _cell(prompt, row, weight, wanted, shelf) if weight or not base else base
    return Block(prompt, wanted.rows, weights, cells)


def _cell(prompt: Prompt, row: Row | None, weight: float, wanted: Wanted, shelf: Shelf) -> Cell:
    epoch = row.epoch if row else 0
    if prompt.problems:
        return Cell(epoch, weight, reason=prompt.problems[0].what)
    if row is not None and row.lora is None:
        return Cell(epoch, weight, reason=row.reason)
    lora = row.lora if row else None
    others = [(wanted.others[tag.name], tag.weight) for tag in prompt.loras if tag.name in wanted.others]
    own = (lora, weight) if lora else None
    text = parameters_text(
        prompt, wanted.base, own=own, others=others, embeddings=used_embeddings(prompt, wanted.embeddings)
    )
    stem = lora.path.stem if lora else wanted.project
    target, there = shelf.place(f"{stem}_w{weight:g}_p{prompt.number}", text)
    loras = [UsedLora(lora.path.stem, lora.path, weight)] if lora else []
    picture = Picture(
        target=target,
        prompt=prompt.text,
        negative_prompt=prompt.negative_prompt,
        seed=prompt.seed,
        steps=prompt.steps,
        cfg_scale=prompt.cfg_scale,
        sampler=prompt.sampler,
        schedule=prompt.schedule,
        width=prompt.width,
        height=prompt.height,
        clip_skip=prompt.clip_skip,
        loras=(*loras, *(UsedLora(other.name, other.path, value) for other, value in others)),
        parameters=text,
    )
    return Cell(epoch, weight, picture, there=there)
