"""kohya-wrap lora grid: test pictures of a run's LoRAs, and all of them on one labelled picture."""

import hashlib
import json
import math
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from kohya_wrap.cli.options import Root
from kohya_wrap.cli.output import print_rows, print_warnings
from kohya_wrap.cli.progress import view
from kohya_wrap.cli.runs.find import all_records, find_run
from kohya_wrap.cli.train import sample_rows
from kohya_wrap.config.samples import SamplesConfig
from kohya_wrap.errors import DrawingError, OutputError, PresetError
from kohya_wrap.launch.signals import raise_on_stop_signals
from kohya_wrap.paths import CachePaths
from kohya_wrap.pipeline import load_preset
from kohya_wrap.presets.files import find_preset
from kohya_wrap.record import RunRecord
from kohya_wrap.results.parameters import read_parameters, to_text
from kohya_wrap.sampling import MOST_UNASKED, Easel, Samples, draw, note_in_record, samples_entry, set_up
from kohya_wrap.studio import Studio, recorded_table

_WITH_PARAMETERS = (".png", ".jpg", ".jpeg", ".webp", ".txt")


def grid(  # noqa: PLR0913, PLR0917 - one line for each option of the verb
    of: Annotated[
        str, typer.Argument(help="A run, a project (its newest run), or a preset (likewise).", metavar="RUN")
    ],
    prompts: Annotated[
        list[str] | None,
        typer.Option("--prompt", help="Draw this instead of the preset's prompts; or a picture's or text file's."),
    ] = None,
    weights: Annotated[str, typer.Option(help="Weights of the LoRA, as 0,0.5,1: one column each.")] = "",
    epochs: Annotated[str, typer.Option(help="last, all, or numbers as 1,5,10: one row each.")] = "",
    draw_with: Annotated[
        Literal["diffusers", "webui", "comfyui"] | None, typer.Option(help="What draws (default: as the preset says).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the grid goes, a .png (default: into the run's samples/).")
    ] = None,
    lora_folders: Annotated[
        list[Path] | None,
        typer.Option("--lora-dir", help="Where <lora:NAME:…> of a prompt is looked for, too.", file_okay=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, however many pictures.")] = False,  # noqa: FBT002 - a flag of the command line
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,  # noqa: FBT002 - likewise
    root: Root = None,
) -> None:
    """Draw test pictures with a run's LoRAs, epochs x weights, and put them on one picture; what is there stays."""
    if out is not None and out.suffix.lower() != ".png":
        raise OutputError("is no .png", where=str(out), todo="give --out NAME.png")
    record, stated = _target(of, root)
    samples = _changed(stated, prompts=prompts, weights=weights, epochs=epochs, draw_with=draw_with)
    easel = set_up(Studio(record, samples, CachePaths.from_environment()), lora_folders=lora_folders or ())
    print_warnings(easel.problems)
    _ask(len(easel.todo), yes=yes)
    if not as_json:
        count = "1 picture" if len(easel.todo) == 1 else f"{len(easel.todo)} pictures"
        typer.echo(f"{count} to draw, {easel.count - len(easel.todo)} there already")
    target = out or easel.studio.paths.samples / _name(samples, recorded=samples == stated)
    if as_json:
        with raise_on_stop_signals():
            drawn = draw(easel, tell=_nobody, grid=target)
    else:
        with raise_on_stop_signals(), view() as show:
            drawn = draw(easel, tell=show, grid=target)
    note_in_record(easel, drawn)
    if as_json:
        typer.echo(json.dumps(_json(easel, drawn), indent=2))
    else:
        print_rows([*sample_rows(drawn), *(("note", note) for note in drawn.notes)])
    if drawn.failure is not None:
        raise drawn.failure


def _nobody(event: object) -> None:
    """Keep quiet: the output is for a program."""


def _target(of: str, root: Path | None) -> tuple[RunRecord, SamplesConfig]:
    """Give the run that is meant, and what to draw: a preset's of today, else what the run's own says."""
    records = [record for _, record in all_records(root) if isinstance(record, RunRecord) and record.loras]
    if not any(record.id == of for record in records) and not (Path(of) / "run.json").is_file():
        try:
            project = load_preset(find_preset(of)).config.setup.project_name
        except PresetError:
            if of.endswith(".toml"):
                raise
        else:
            if mine := [record for record in records if record.project == project]:
                return mine[-1], _samples_today(of, mine[-1])
    newest = [record for record in records if record.project == of]
    record = newest[-1] if newest else find_run(of, root)
    return record, recorded_table(record, "samples", SamplesConfig)


def _samples_today(preset: str, record: RunRecord) -> SamplesConfig:
    """Give [samples] of a preset as it is now, with what the run was told on its command line."""
    overrides = [each for each in record.preset.overrides if each.strip().startswith("samples.")]
    return load_preset(find_preset(preset), overrides=overrides).config.samples


def _changed(
    samples: SamplesConfig, *, prompts: list[str] | None, weights: str, epochs: str, draw_with: str | None
) -> SamplesConfig:
    changes: dict[str, object] = {"draw_with": draw_with} if draw_with else {}
    if prompts:
        changes["prompts"] = tuple(map(_prompt, prompts))
    if weights:
        changes["weights"] = _numbers(weights)
    if epochs in {"last", "all"}:
        changes["epochs"] = epochs
    elif epochs:
        changes["epochs"] = _epochs(epochs)
    return samples.model_copy(update=changes)


def _prompt(given: str) -> str:
    """Give a prompt as typed, or all parameters of the picture or text file that is named."""
    if not given.lower().endswith(_WITH_PARAMETERS):
        return given
    if not Path(given).is_file():  # nobody wants nine pictures of the words "night.png"
        raise typer.BadParameter(f"{given!r}: there is no such file", param_hint="--prompt")
    return to_text(read_parameters(Path(given)))


def _numbers(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        raise typer.BadParameter(f"{text!r}: give numbers with commas between them, as 0,0.5,1", param_hint="--weights")
    return numbers


def _epochs(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() and 0 < int(part) < 100_000 for part in parts):
        raise typer.BadParameter(f"{text!r}: give last, all, or numbers from 1, as 1,5,10", param_hint="--epochs")
    return tuple(map(int, parts))


def _ask(count: int, *, yes: bool) -> None:
    if yes or count <= MOST_UNASKED:
        return
    if not sys.stdin.isatty():
        raise DrawingError(
            f"{count} pictures are more than {MOST_UNASKED}", todo="give --yes, or fewer weights, epochs"
        )
    typer.confirm(f"Draw {count} pictures?", abort=True)


def _name(samples: SamplesConfig, *, recorded: bool) -> str:
    """Name the grid: what is asked for on the command line alone does not take the place of the preset's own."""
    if recorded:
        return "grid.png"
    return f"grid-{hashlib.sha256(samples.model_dump_json().encode()).hexdigest()[:4]}.png"


def _json(easel: Easel, samples: Samples) -> dict[str, object]:
    entry = samples_entry(easel, samples)
    shown = set(map(str, samples.pictures))
    return {
        "run": easel.studio.record.id,
        "grids": [str(path) for path in samples.grids],
        "pictures": [each.model_dump() for each in entry.pictures if each.path in shown],
        "missing": samples.missing,
        "seconds": round(samples.seconds, 3),
        "notes": [*map(str, easel.problems), *samples.notes],
        "error": entry.error,
    }
