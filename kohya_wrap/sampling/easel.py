"""What would be drawn for a recorded run: rows of LoRAs, columns of weights, a block for each prompt."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kohya_wrap.engines.drawing.types import Picture
from kohya_wrap.errors import DrawingError, Problem
from kohya_wrap.results.samples import places
from kohya_wrap.results.samples.cells import Block, Wanted, lay_out, pictures_to_draw, rows_of
from kohya_wrap.results.samples.embeddings import FoundEmbedding, find_embeddings
from kohya_wrap.results.samples.loras import find_loras
from kohya_wrap.results.samples.prompts import prompt_problems, read_prompts
from kohya_wrap.results.samples.shelf import Shelf
from kohya_wrap.results.samples.text import Base
from kohya_wrap.studio import Studio


@dataclass(frozen=True, slots=True)
class Easel:
    """All that would be drawn for a run, known before anything is. `todo`: what is not there yet."""

    studio: Studio
    base: Base
    blocks: tuple[Block, ...]
    todo: tuple[Picture, ...]
    problems: tuple[Problem, ...] = ()
    embeddings: Mapping[str, FoundEmbedding] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many different pictures the grid shows."""
        return len(set(self._targets()))

    def _targets(self) -> Iterator[Path]:
        for block in self.blocks:
            yield from (cell.picture.target for cell in block.unique() if cell.picture is not None)

    def there(self) -> tuple[Path, ...]:
        """List the pictures that are there now, each once."""
        return tuple(path for path in dict.fromkeys(self._targets()) if path.is_file())


def set_up(studio: Studio, *, lora_folders: Iterable[Path] = ()) -> Easel:
    """Say what would be drawn for a run. Raises DrawingError where there is no prompt, no LoRA."""
    record, samples = studio.record, studio.samples
    if not samples.prompts:
        todo = 'give --prompt "…", or write samples.prompts in the preset and name that'
        raise DrawingError("there is no prompt to draw", where=f"{record.id}: samples.prompts", todo=todo)
    if not record.loras:
        raise DrawingError("the run left no LoRA to draw with", where=record.id)
    prompts = read_prompts(samples, record.project, activation_tag=studio.activation_tag)
    others, missing = find_loras(prompts, (*lora_folders, *places.lora_folders(studio.project, samples)))
    embeddings, unknown = find_embeddings(prompts, places.embedding_folders(studio.project, samples))
    rows = rows_of(studio.loras, samples.epochs if any(samples.weights) else "last")
    base = studio.base()
    wanted = Wanted(prompts, rows, samples.weights, base, record.project, others, embeddings)
    blocks = lay_out(wanted, Shelf(studio.paths.samples, samples.draw_with))
    gone = [Problem(f"epoch {row.epoch}", row.reason, severity="warning") for row in rows if row.lora is None]
    problems = (*prompt_problems(prompts), *missing, *unknown, *gone)
    return Easel(studio, base, blocks, pictures_to_draw(blocks), problems, embeddings)
