"""kohya-wrap dataset tag."""

from typing import Annotated

import typer

from kohya_wrap.cli.dataset.bar import bar
from kohya_wrap.cli.dataset.fetching import fetch_repo_file
from kohya_wrap.cli.dataset.options import DryRun, Extension, Place, Recursive, find_place, print_step
from kohya_wrap.cli.options import Root
from kohya_wrap.dataset.findings import shown
from kohya_wrap.dataset.tag_text import split_tags
from kohya_wrap.dataset.taggers import TAGGERS
from kohya_wrap.dataset.verbs import tag as verb

_USUAL = verb.TagOptions()


def tag(  # noqa: PLR0913, PLR0917 - one line for each option of the verb
    dataset: Place,
    tagger: Annotated[
        str,
        typer.Option(
            help=f"{', '.join(TAGGERS)}, a repository of Hugging Face, or a folder with model.onnx and"
            " selected_tags.csv."
        ),
    ] = _USUAL.tagger,
    tag_threshold: Annotated[
        float,
        typer.Option(
            "--tag-threshold", "--threshold", help="How sure a tag must be: 0.25 for concepts, 0.5 for styles."
        ),
    ] = _USUAL.tag_threshold,
    character_threshold: Annotated[
        float | None, typer.Option(help="How sure a character's name must be; names are left out without it.")
    ] = None,
    include_character_names: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--include-character-names", help="Names of characters too, at --tag-threshold.")
    ] = False,
    blacklist_tags: Annotated[str, typer.Option(help="Tags that are never written, with commas between.")] = ", ".join(
        verb.BLACKLIST
    ),
    append: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--append", help="Keep the tags that are there; otherwise replace them.")
    ] = False,
    recursive: Recursive = False,  # noqa: FBT002 - a flag of the command line
    caption_extension: Extension = ".txt",
    batch_size: Annotated[int, typer.Option(help="Pictures at once.", min=1)] = _USUAL.batch_size,
    root: Root = None,
    dry_run: DryRun = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Write tags for every picture in DATASET into its caption file, by WD taggers."""
    place = find_place(dataset, root)
    options = verb.TagOptions(
        tagger=tagger,
        tag_threshold=tag_threshold,
        character_threshold=character_threshold,
        include_character_names=include_character_names,
        blacklist_tags=tuple(split_tags(blacklist_tags)),
        append=append,
        recursive=recursive,
        caption_extension=caption_extension,
        batch_size=batch_size,
    )
    with bar() as report:
        done = verb.tag(place, options, fetch=fetch_repo_file, dry_run=dry_run, report=report)
    for name, provider in done.providers.items():
        typer.echo(f"{name} on {provider}")
    for problem in done.unreadable:
        typer.echo(shown(f"{problem.where}: {problem.what}"), err=True)
    typer.echo(f"{done.pictures} pictures tagged; the most frequent tags:")
    for text, count in done.top:
        typer.echo(shown(f"  {count:6}  {text}"))
    print_step(done.step, "caption files")
