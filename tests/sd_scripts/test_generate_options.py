"""The generator reads add_argument calls without running them."""

import json
import subprocess
from pathlib import Path

import pytest

from kohya_wrap.sd_scripts.generate_options import UnreadableParserError, read_options, render

TRAIN = """
import argparse
from library import common
from library.extra import add_extra

def setup_parser():
    parser = argparse.ArgumentParser()
    common.add_common(parser, True)
    add_extra(parser)
    parser.add_argument("--flag", action="store_true", help="a flag")
    parser.add_argument("--many", type=float, nargs="*", default=None)
    return parser
"""
COMMON = """
def add_common(parser, with_more: bool, with_last: bool = False):
    def int_or_float(value):
        return float(value)
    parser.add_argument("--steps", type=int_or_float, default=0)
    if with_more:
        parser.add_argument("--more", type=int, choices=[None, 1, 2])
    else:
        parser.add_argument("--less", type=int)
    if with_last:
        parser.add_argument("--last", type=int)
"""
EXTRA = """
import pathlib

def add_extra(parser):
    parser.add_argument("--file", type=pathlib.Path)
"""
SDXL = """
import train_network

def setup_parser():
    parser = train_network.setup_parser()
    parser.add_argument("--only-here", type=str, default="x")
    return parser
"""


def checkout(folder: Path, **files: str) -> Path:
    """Write a checkout of four files; keywords replace one of them."""
    sources = {"train_network": TRAIN, "sdxl_train_network": SDXL, "common": COMMON, "extra": EXTRA} | files
    (folder / "library").mkdir()
    for name, text in sources.items():
        place = folder if name.endswith("network") else folder / "library"
        (place / f"{name}.py").write_text(text)
    return folder


def by_name(folder: Path) -> dict[object, dict[str, object]]:
    return {option["name"]: option for option in read_options(folder)}


def test_follows_called_functions(tmp_path: Path) -> None:
    """Options of functions that setup_parser calls are found, whichever way they were imported."""
    assert list(by_name(checkout(tmp_path))) == ["steps", "more", "file", "flag", "many", "only_here"]


def test_takes_the_branch_that_runs(tmp_path: Path) -> None:
    """A condition on a parameter is decided by the argument given, or by its default."""
    assert not {"less", "last"} & set(by_name(checkout(tmp_path)))


def test_reads_type_choices_and_default(tmp_path: Path) -> None:
    """Type, nargs, choices and default are as declared; help texts are not copied."""
    options = by_name(checkout(tmp_path))
    assert options["steps"]["type"] == "int_or_float"
    assert options["more"]["choices"] == [None, 1, 2]
    assert options["many"]["nargs"] == "*"
    assert options["file"]["type"] == "Path"
    assert (options["flag"]["type"], options["flag"]["default"]) == ("bool", False)
    assert not any("help" in option for option in options.values())


def test_says_which_script_takes_an_option(tmp_path: Path) -> None:
    """An option that only the SDXL script adds is marked so."""
    options = by_name(checkout(tmp_path))
    assert options["only_here"]["scripts"] == ["sdxl_train_network.py"]
    assert options["flag"]["scripts"] == ["train_network.py", "sdxl_train_network.py"]


@pytest.mark.parametrize(
    "line",
    [
        'parser.add_argument("--a", choices=NAMES)',
        'parser.add_argument("-a", "--all", "--every")',
        'if something():\n        parser.add_argument("--a")',
    ],
)
def test_refuses_what_it_cannot_read(tmp_path: Path, line: str) -> None:
    """A declaration that needs running is an error, never a guess."""
    broken = f"def add_extra(parser):\n    {line}\n"
    with pytest.raises(UnreadableParserError):
        read_options(checkout(tmp_path, extra=broken))


def test_the_file_names_the_commit(tmp_path: Path) -> None:
    """options.json says which commit it came from, and is JSON with an option a line."""
    folder = checkout(tmp_path)
    git = ("git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run((*git, "init", "-q"), check=True)
    subprocess.run((*git, "add", "."), check=True)
    subprocess.run((*git, "commit", "-q", "-m", "all"), check=True)
    head = subprocess.run((*git, "rev-parse", "HEAD"), check=True, capture_output=True, text=True).stdout.strip()
    text = render(folder)
    assert json.loads(text)["commit"] == head
    assert len(text.splitlines()) == 6 + 5
