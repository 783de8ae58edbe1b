"""kohya-wrap dataset curate."""

from typing import Annotated

import typer

from kohya_wrap.cli.dataset.options import DryRun, Extension, Place, find_place, print_step
from kohya_wrap.cli.options import Root
from kohya_wrap.dataset.tag_text import split_tags
from kohya_wrap.dataset.verbs import curate as verb


def curate(  # noqa: PLR0913 - one parameter per option of the notebook's cell
    dataset: Place,
    *,
    root: Root = None,
    global_activation_tag: Annotated[
        str, typer.Option("--global-activation-tag", "--activation-tag", help="Put first in every caption file.")
    ] = "",
    remove_tags: Annotated[str, typer.Option(help="Remove these tags.")] = "",
    search_tags: Annotated[str, typer.Option(help="Look for these tags, and take them out.")] = "",
    replace_with: Annotated[str, typer.Option(help="Put these tags where search_tags were met.")] = "",
    search_mode: Annotated[
        verb.SearchMode, typer.Option(help="One of search_tags is enough, or all must be there.")
    ] = "OR",
    new_becomes_activation_tag: Annotated[
        bool, typer.Option("--new-becomes-activation-tag", help="New tags of replace_with come first.")
    ] = False,
    sort_alphabetically: Annotated[
        bool, typer.Option("--sort-alphabetically", help="Sort the tags, before anything comes first.")
    ] = False,
    remove_duplicates: Annotated[
        bool, typer.Option("--remove-duplicates", help="Keep the first of tags that are the same.")
    ] = False,
    adjust_tags: Annotated[
        bool, typer.Option("--adjust-tags", help="Escape brackets for --weighted-captions; without it, take that back.")
    ] = False,
    weighted_captions: Annotated[
        bool, typer.Option("--weighted-captions", help="The training will read weights, as in (tag:1.1).")
    ] = False,
    activation_tag_weight: Annotated[
        float, typer.Option(help="With both: weight of the first tags, where above 1.", min=0.01)
    ] = 1.0,
    activation_tags: Annotated[int, typer.Option(help="With both: how many tags get the weight.", min=0)] = 1,
    caption_extension: Extension = ".txt",
    recursive: Annotated[bool, typer.Option(help="Sub-folders too, as in the notebook.")] = True,
    dry_run: DryRun = False,
) -> None:
    """Change the tags of every caption file, in the notebook's order: remove, replace, then what comes first."""
    options = verb.CurateOptions(
        global_activation_tag=tuple(split_tags(global_activation_tag)),
        remove_tags=tuple(split_tags(remove_tags)),
        search_tags=tuple(split_tags(search_tags)),
        replace_with=tuple(split_tags(replace_with)),
        search_mode=search_mode,
        new_becomes_activation_tag=new_becomes_activation_tag,
        sort_alphabetically=sort_alphabetically,
        remove_duplicates=remove_duplicates,
        adjust_tags=adjust_tags,
        weighted_captions=weighted_captions,
        activation_tag_weight=activation_tag_weight,
        activation_tags=activation_tags,
        caption_extension=caption_extension,
        recursive=recursive,
    )
    result = verb.curate(find_place(dataset, root), options, dry_run=dry_run)
    met = f", {result.found} met the search" if search_tags else ""
    gone = f", {result.removed} tags removed" if remove_tags else ""
    typer.echo(f"{result.files} caption files{gone}{met}")
    print_step(result.step, "caption files")
