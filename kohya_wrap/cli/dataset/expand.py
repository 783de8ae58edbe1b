"""kohya-wrap dataset expand."""

from pathlib import Path
from typing import Annotated

import typer

from kohya_wrap.cli.dataset.bar import bar
from kohya_wrap.cli.dataset.options import DryRun, Extension, Place, Recursive, find_place, print_step
from kohya_wrap.cli.options import Root, ending_with
from kohya_wrap.dataset.findings import shown
from kohya_wrap.dataset.history import DatasetPlace
from kohya_wrap.dataset.tag_text import split_tags
from kohya_wrap.dataset.verbs.expand import Expanded, ExpandOptions, parse_box, subsets_toml
from kohya_wrap.dataset.verbs.expand import expand as make

_SHOWN = 10


def expand(  # noqa: PLR0913 - one line for each option of the verb
    dataset: Place,
    *,
    root: Root = None,
    box: Annotated[
        list[str] | None,
        typer.Option(
            help="Crop this, in pixels or fractions; again for more. Without it a square is proposed.",
            metavar="[NAME=]X,Y,W,H",
        ),
    ] = None,
    crop: Annotated[bool, typer.Option(help="Make crops.")] = True,
    flip: Annotated[bool, typer.Option(help="Make mirror images.")] = True,
    rotate: Annotated[list[float] | None, typer.Option(help="Turn by these degrees; again for more.")] = None,
    padding: Annotated[float, typer.Option(help="Margin of crops, as a share of their longer side.")] = 0.0,
    crop_drops: Annotated[str, typer.Option(help="Tags that a crop no longer shows.", metavar="TAG, TAG")] = "",
    crop_adds: Annotated[str, typer.Option(help="Tags for crops, for example close-up.", metavar="TAG, TAG")] = "",
    background: Annotated[
        str, typer.Option(help="Colour below transparent pictures, the originals too (default: white, new ones only).")
    ] = "",
    keep_parameters: Annotated[
        bool, typer.Option("--keep-parameters", help="Keep in new pictures how the first was generated.")
    ] = False,
    subsets: Annotated[
        bool, typer.Option("--subsets", help="Each kind into its own sub-folder; prints extras.custom_dataset.")
    ] = False,
    num_repeats: Annotated[int, typer.Option(help="What the preset repeats each picture by now.", min=1)] = 10,
    picture: Annotated[list[str] | None, typer.Option(help="Expand this file only; again for more.")] = None,
    preview: Annotated[
        Path | None, typer.Option(help="Draw what comes out (.png).", dir_okay=False, callback=ending_with(".png"))
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace files that expand did not make, too.")] = False,
    caption_extension: Extension = ".txt",
    recursive: Recursive = False,
    dry_run: DryRun = False,
) -> None:
    """Make mirror images, crops and small turns of DATASET's pictures, as the tutorial did with its one picture."""
    place = find_place(dataset, root)
    options = ExpandOptions(
        boxes=tuple(parse_box(text, number) for number, text in enumerate(box or (), start=1)),
        crop=crop,
        flip=flip,
        rotations=tuple(rotate or ()),
        padding=padding,
        crop_drops=tuple(split_tags(crop_drops)),
        crop_adds=tuple(split_tags(crop_adds)),
        background=background,
        keep_parameters=keep_parameters,
        subsets=subsets,
        num_repeats=num_repeats,
        pictures=tuple(picture or ()),
        replace=replace,
        caption_extension=caption_extension,
        recursive=recursive,
    )
    with bar() as report:
        done = make(place, options, preview=preview, dry_run=dry_run, report=report)
    _print(done, place, options)


def _print(done: Expanded, place: DatasetPlace, options: ExpandOptions) -> None:
    for source in done.sources[:_SHOWN]:
        crops = "; ".join(f"{name} {b[0]},{b[1]},{b[2] - b[0]},{b[3] - b[1]}" for name, b in source.crops)
        what = f" ({'proposed: ' if done.proposed else ''}{crops})" if crops else ""
        typer.echo(f"{shown(source.path.name)}, {source.size[0]}x{source.size[1]}{what}")
    if len(done.sources) > _SHOWN:
        typer.echo(f"… and {len(done.sources) - _SHOWN} more")
    print_step(done.step)
    if done.proposed:
        typer.echo("the crops are a guess from detail and colour; give --box where one is not what you want")
    if done.preview:
        typer.echo(f"preview: {done.preview}")
    if done.untouched:
        typer.echo(
            f"{done.untouched} originals are transparent and stay so: --background COLOR puts a colour below them"
        )
    if options.subsets:
        typer.echo(
            f"extras.custom_dataset, each kind as often as the others:\n{subsets_toml(place.folder, done.repeats)}"
        )
    else:
        repeats = f"steps.num_repeats={done.repeats['']}"
        typer.echo(f"{repeats} keeps an epoch as long as {options.num_repeats} did for the originals alone")
