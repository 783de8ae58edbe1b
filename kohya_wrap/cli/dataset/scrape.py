"""kohya-wrap dataset scrape."""

import os
from typing import Annotated, Literal

import typer

from kohya_wrap.cli.dataset.bar import bar
from kohya_wrap.cli.dataset.options import DryRun, Extension, Place, find_place, print_step
from kohya_wrap.cli.options import Root
from kohya_wrap.dataset.findings import shown
from kohya_wrap.dataset.verbs import scrape as verb
from kohya_wrap.dataset.verbs.scrape_search import MOST, Found, ScrapeOptions, look_up

_SHOWN = 10


def scrape(  # noqa: PLR0913, PLR0917 - one line for each option of the verb
    dataset: Place,
    tags: Annotated[str, typer.Argument(help='As on the site: "1girl -sex score:>10".', metavar="TAGS")],
    site: Annotated[Literal["gelbooru", "danbooru", "e621"], typer.Option("--from", help="The service.")] = "gelbooru",
    limit: Annotated[int, typer.Option(help=f"Pictures at most, up to {MOST}.")] = MOST,
    max_resolution: Annotated[
        int, typer.Option(help="A picture of more than so many pixels squared is fetched as the site's sample.", min=1)
    ] = 3072,
    include_posts_with_parent: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option(help="Posts with a parent are often variations of one picture.")
    ] = True,
    captions: Annotated[bool, typer.Option("--captions", help="Write the site's own tags as captions.")] = False,  # noqa: FBT002 - a flag
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,  # noqa: FBT002 - a flag
    caption_extension: Extension = ".txt",
    root: Root = None,
    dry_run: DryRun = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Fetch pictures by TAGS into DATASET, by the site's API; run again to go on.

    Keys: GELBOORU_USER_ID and GELBOORU_API_KEY (needed), DANBOORU_LOGIN and DANBOORU_API_KEY, E621_LOGIN and
    E621_API_KEY (where you have them). Other addresses: KOHYA_WRAP_GELBOORU_URL, KOHYA_WRAP_DANBOORU_URL,
    KOHYA_WRAP_E621_URL.
    """
    place = find_place(dataset, root)
    options = ScrapeOptions(tags, site, limit, max_resolution, include_posts_with_parent, captions, caption_extension)
    with bar() as report:
        found = look_up(options, env=os.environ, report=report)
    _print_found(found)
    if not found.choices:
        return
    if not (yes or dry_run) and not typer.confirm(f"Fetch {len(found.choices)} pictures into {place.folder}?"):
        raise typer.Abort
    with bar() as report:
        done = verb.scrape(place, found, dry_run=dry_run, report=report)
    for problem in done.failed[:_SHOWN]:
        typer.echo(shown(f"not fetched: {problem.where}: {problem.what}"), err=True)
    if len(done.failed) > _SHOWN:
        typer.echo(f"and {len(done.failed) - _SHOWN} more were not fetched; run again to try them", err=True)
    there = f", {done.there} were there already" if done.there else ""
    typer.echo(f"{done.pictures} pictures {'would be ' if dry_run else ''}fetched{there}")
    if not dry_run:
        typer.echo(f"listed in {done.list}")
    print_step(done.step)


def _print_found(found: Found) -> None:
    total = f" of {found.total}" if found.total is not None else ""
    left = [
        (found.no_file, "without a file (deleted or hidden)"),
        (found.no_picture, "videos and other kinds"),
        (found.with_parent, "with a parent"),
    ]
    words = "".join(f", {count} {what} left out" for count, what in left if count)
    samples = sum(choice.is_sample for choice in found.choices)
    smaller = f" ({samples} as samples)" if samples else ""
    typer.echo(f"{found.options.site}: {len(found.choices)} pictures{total}{smaller}{words}")
