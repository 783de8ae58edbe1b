"""kohya-wrap dataset: collects its verbs."""

import typer

from kohya_wrap.cli.dataset.add import add
from kohya_wrap.cli.dataset.caption import caption
from kohya_wrap.cli.dataset.clean import clean
from kohya_wrap.cli.dataset.curate import curate
from kohya_wrap.cli.dataset.dedupe import dedupe
from kohya_wrap.cli.dataset.expand import expand
from kohya_wrap.cli.dataset.history import history, undo
from kohya_wrap.cli.dataset.new import new
from kohya_wrap.cli.dataset.scan import scan
from kohya_wrap.cli.dataset.scrape import scrape
from kohya_wrap.cli.dataset.shrink import shrink
from kohya_wrap.cli.dataset.tag import tag
from kohya_wrap.cli.dataset.tags import tags

dataset_app = typer.Typer(
    name="dataset",
    help="Make and mend datasets; every change can be undone.",
    no_args_is_help=True,
    add_completion=False,
)
for verb in (
    new,
    add,
    scan,
    scrape,
    dedupe,
    clean,
    shrink,
    expand,
    curate,
    tags,
    tag,
    caption,
    history,
    undo,
):
    dataset_app.command()(verb)
