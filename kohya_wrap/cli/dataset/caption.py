"""kohya-wrap dataset caption."""

from typing import Annotated, Literal

import typer

from kohya_wrap.cli.dataset.bar import bar
from kohya_wrap.cli.dataset.fetching import fetch_repo_file
from kohya_wrap.cli.dataset.options import DryRun, Extension, Place, Recursive, find_place, print_step
from kohya_wrap.cli.options import Root
from kohya_wrap.config import EngineConfig
from kohya_wrap.dataset.captioning import BLIP, BlipOptions, model_files
from kohya_wrap.dataset.findings import shown
from kohya_wrap.dataset.verbs import caption as verb
from kohya_wrap.engines import get_engine
from kohya_wrap.engines.captioning.blip import BlipCaptioner
from kohya_wrap.launch.signals import raise_on_stop_signals
from kohya_wrap.paths import CachePaths

_USUAL = BlipOptions()
_EXAMPLES = 5


def caption(  # noqa: PLR0913, PLR0917 - one line for each option of the verb
    dataset: Place,
    model: Annotated[
        str, typer.Option(help="A BLIP model: a repository of Hugging Face, or a folder as transformers saves it.")
    ] = BLIP,
    caption_min: Annotated[int, typer.Option(help="Tokens at least.", min=1)] = _USUAL.caption_min,
    caption_max: Annotated[int, typer.Option(help="Tokens at most.", min=1)] = _USUAL.caption_max,
    num_beams: Annotated[int, typer.Option(help="Beams of the search; 1 is none.", min=1)] = _USUAL.num_beams,
    there: Annotated[
        Literal["replace", "append", "keep"], typer.Option(help="What becomes of captions that are there.")
    ] = "replace",
    prefix: Annotated[str, typer.Option(help="What each caption begins with, such as the activation tag.")] = "",
    recursive: Recursive = False,  # noqa: FBT002 - a flag of the command line
    caption_extension: Extension = ".txt",
    batch_size: Annotated[int, typer.Option(help="Pictures at once.", min=1)] = _USUAL.batch_size,
    cpu: Annotated[bool, typer.Option("--cpu", help="Not on the GPU.")] = False,  # noqa: FBT002 - a flag
    root: Root = None,
    dry_run: DryRun = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Write a sentence for every picture in DATASET into its caption file, by BLIP in the engine's environment."""
    place = find_place(dataset, root)
    blip = BlipOptions(caption_min, caption_max, num_beams, batch_size)
    options = verb.CaptionOptions(model, there, prefix, recursive, caption_extension, blip)
    files = model_files(model, fetch_repo_file)
    engine = get_engine(EngineConfig(name="embedded"), CachePaths.from_environment())
    status = engine.status()
    if status.missing:
        status = engine.setup(typer.echo)
    captioner = BlipCaptioner(status.python, model, files, use_cpu=cpu)
    with raise_on_stop_signals(), bar() as report:
        done = verb.caption(place, options, captioner=captioner, dry_run=dry_run, report=report)
    print_captioned(done, model)


def print_captioned(done: verb.Captioned, model: str) -> None:
    """Print what was captioned, with the first captions as examples."""
    for problem in done.unreadable:
        typer.echo(shown(f"{problem.where}: {problem.what}"), err=True)
    ran = f" on {done.device}" if done.device else ""
    kept = f", {done.kept} had one" if done.kept else ""
    count = "1 picture" if len(done.captions) == 1 else f"{len(done.captions)} pictures"
    typer.echo(f"{count} captioned by {model}{ran}{kept}")
    for path, text in list(done.captions.items())[:_EXAMPLES]:
        typer.echo(shown(f"  {path.name}: {text}"))
    print_step(done.step, "caption files")
