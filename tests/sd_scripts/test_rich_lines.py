"""rich's layout: time, level, source file and wrapping are taken off."""

import io
import logging
from pathlib import Path

import pytest
from rich.console import Console
from rich.logging import RichHandler

from kohya_wrap.sd_scripts.rich_lines import Record, RichLines

MESSAGES = [
    "model saved.",
    "create LoRA for Text Encoder: 72 modules.",
    "bucket 0: resolution (512, 512), count: 10",
    "Loading settings from /project/Loras/a-name-that-is-long/runs/20261123-070000-abcd/training_config.toml...",
    "ignore subset with image_dir='/p/x': no images found",
    "/" + "x" * 200,
    "short words only but many of them so that the line has to be broken more than once at eighty columns",
]


def layout(width: int, *messages: str) -> list[str]:
    """Give what rich itself prints for these messages at a width."""
    stream = io.StringIO()
    handler = RichHandler(console=Console(file=stream, width=width))
    handler.setFormatter(logging.Formatter(fmt="%(message)s", datefmt="%Y-%m-%d %H:%M:%S"))
    for message in messages:
        name = str(Path("/engine/library/train_util.py"))
        handler.emit(logging.LogRecord("engine", logging.INFO, name, 1061, message, None, None))
    return stream.getvalue().splitlines()


def read(lines: list[str]) -> list[Record]:
    reader = RichLines()
    records = [record for line in lines if (record := reader.feed(line)[1]) is not None]
    last = reader.flush()
    return [*records, last] if last else records


@pytest.mark.parametrize("width", [80, 100, 200, 1000])
@pytest.mark.parametrize("message", MESSAGES)
def test_messages_come_back(message: str, width: int) -> None:
    """Whatever the width, the message is put together again, broken words included."""
    (record,) = read(layout(width, message))
    assert record == Record("INFO", [message])


def test_many_records_stay_apart() -> None:
    """Records that follow each other in one second, without a time of their own, are told apart."""
    records = read(layout(80, *MESSAGES))
    assert [record.lines for record in records] == [[message] for message in MESSAGES]


def test_blocks_keep_their_lines() -> None:
    """A block that is logged in one piece keeps its lines, and a setting that is chopped is joined."""
    block = "[Dataset 0]\n  batch_size: 1\n    caption_dropout_every_n_epochs: 0\n\n"
    (record,) = read(layout(80, block))
    lines = [line.strip() for line in record.lines if line.strip()]
    assert lines == ["[Dataset 0]", "batch_size: 1", "caption_dropout_every_n_epochs: 0"]


@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
def test_levels(level: str) -> None:
    """The level is read."""
    lines = [line.replace("INFO   ", f"{level:7}") for line in layout(80, "something is odd")]
    assert read(lines)[0].level == level


@pytest.mark.parametrize("text", ["plain", "  indented", "                    not a level", ""])
def test_other_lines_are_not_richs(text: str) -> None:
    """A line that rich did not lay out is left alone."""
    assert RichLines().feed(text) == (False, None)
