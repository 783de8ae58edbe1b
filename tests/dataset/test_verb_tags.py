"""Counting tags: files per tag, pairs, what stands beside a tag, and the picture of it."""

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from kohya_wrap.cli.main import app
from kohya_wrap.dataset.history import DatasetPlace, place_of
from kohya_wrap.dataset.verbs.tag_chart import draw_tags
from kohya_wrap.dataset.verbs.tags import Pair, TagsOptions, count_tags
from kohya_wrap.errors import DatasetError, OutputError

CAPTIONS = {
    "a": "tiger, solo, red eyes",
    "b": "tiger, solo, solo",
    "sub/c": 'tiger, 虎, don\'t_say_"lazy", $a$',
    "d": "",
}


@pytest.fixture
def place(tmp_path: Path) -> DatasetPlace:
    """A project with four captions, one of them empty, one in a sub-folder."""
    place = place_of("p", root=tmp_path)
    (place.folder / "sub").mkdir(parents=True)
    for name, text in CAPTIONS.items():
        (place.folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return place


def run(tmp_path: Path, *words: str) -> str:
    done = CliRunner().invoke(app, ["dataset", "tags", "p", "--root", str(tmp_path), *words])
    assert done.exit_code == 0, f"{done.output} {done.exception!r}"
    return done.stdout


def test_counts_are_files_most_frequent_first(place: DatasetPlace) -> None:
    """A tag that stands twice in a file counts once, and is told; equal counts are in order of their names."""
    found = count_tags(place, TagsOptions())
    assert list(found.counts.items())[:3] == [("tiger", 3), ("solo", 2), ("$a$", 1)]
    assert (len(found.tags), len(found.counts), found.repeated) == (4, 6, 1)


def test_the_most_frequent(place: DatasetPlace) -> None:
    """`top` cuts the list; 0 gives all."""
    found = count_tags(place, TagsOptions())
    assert (found.top(1), len(found.top(0))) == ({"tiger": 3}, 6)


def test_two_tags_together(place: DatasetPlace) -> None:
    """Files with the one, the other, and both; a tag that nobody has counts 0."""
    found = count_tags(place, TagsOptions())
    assert found.pair("tiger", "solo") == Pair("tiger", "solo", 3, 2, 2)
    assert found.pair("solo", "nothing") == Pair("solo", "nothing", 2, 0, 0)


def test_what_stands_beside_a_tag(place: DatasetPlace) -> None:
    """The tag itself is left out."""
    assert count_tags(place, TagsOptions()).together_with("solo", 0) == {"tiger": 2, "red eyes": 1}


def test_files_of_a_tag(place: DatasetPlace) -> None:
    """Sorted; sub-folders only where they are wanted."""
    names = [path.name for path in count_tags(place, TagsOptions()).files_with("tiger")]
    assert names == ["a.txt", "b.txt", "c.txt"]
    assert len(count_tags(place, TagsOptions(recursive=False)).files_with("tiger")) == 2


def test_captions_that_cannot_be_read_are_all_named(place: DatasetPlace) -> None:
    """Counts that leave files out would be wrong."""
    for name in ("a", "d"):
        (place.folder / f"{name}.txt").write_bytes(b"\xff")
    with pytest.raises(DatasetError) as caught:
        count_tags(place, TagsOptions())
    assert len(caught.value.problems) == 2


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Not an empty list."""
    with pytest.raises(DatasetError, match="is no folder"):
        count_tags(place_of("nobody", root=tmp_path), TagsOptions())


def test_json_has_the_counts_and_what_was_asked(place: DatasetPlace, tmp_path: Path) -> None:
    """One object on standard output, and nothing else there, the chart's path neither."""
    chart = str(tmp_path / "c.png")
    said = json.loads(run(tmp_path, "--json", "--pair", "tiger, solo", "--files-with", "虎", "--chart", chart))
    assert (said["files"], said["tags"], said["counts"]["tiger"]) == (4, 6, 3)
    assert said["pair"] == {"tags": ["tiger", "solo"], "files": [3, 2], "both": 2}
    assert said["files_with"] == {"虎": ["sub/c.txt"]}


def test_the_command_line_prints_a_list(place: DatasetPlace, tmp_path: Path) -> None:
    """A line of sums, then a line per tag."""
    lines = run(tmp_path, "--top", "2").splitlines()
    assert lines == [
        "4 caption files, 6 tags, the 2 most frequent; 1 stand twice in a file",
        "  3  tiger",
        "  2  solo",
    ]
    assert run(tmp_path, "--together-with", "solo").splitlines()[1] == "  2  tiger"


def test_a_pair_is_two_tags(place: DatasetPlace, tmp_path: Path) -> None:
    """One or three are an error that says how to write it."""
    done = CliRunner().invoke(app, ["dataset", "tags", "p", "--root", str(tmp_path), "--pair", "a, b, c"])
    assert isinstance(done.exception, DatasetError)


def test_the_chart_has_a_bar_for_each_tag(tmp_path: Path) -> None:
    """Longer for more files: blue counted along each bar's row; rows are evenly spaced."""
    target = tmp_path / "chart.png"
    draw_tags({"a": 40, "b": 20, "c": 10}, target, title="t", files=40)
    with Image.open(target) as image:
        shown = image.convert("RGB")
    blue = [sum(shown.getpixel((x, y)) == (0x3A, 0x7C, 0xA5) for x in range(shown.width)) for y in range(shown.height)]
    lengths = sorted({length for length in blue if length > 20}, reverse=True)
    assert len(lengths) == 3
    assert lengths[0] / lengths[1] == pytest.approx(2, abs=0.05)
    assert lengths[0] / lengths[2] == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("tag", ["$\\frac{", "虎", "🐯", "a\x00b", "x" * 5000, "\\m/"])
def test_any_tag_can_be_drawn(tmp_path: Path, tag: str) -> None:
    """Formulas, letters that no font has, control characters, endless tags."""
    drawn = draw_tags({tag: 1}, tmp_path / "chart.png", title=tag, files=1)
    assert drawn.path.stat().st_size > 1000


def test_letters_without_a_font_are_named(tmp_path: Path) -> None:
    """So that the user knows what to install: a private letter is in no font."""
    assert draw_tags({"\u4dbf": 1, "a": 1}, tmp_path / "c.svg", title="t", files=1).missing in {"", "\u4dbf"}
    assert draw_tags({"a": 1}, tmp_path / "d.png", title="t", files=1).missing == ""


def test_a_chart_never_lands_among_the_pictures(place: DatasetPlace, tmp_path: Path) -> None:
    """It would be trained on."""
    words = ["dataset", "tags", "p", "--root", str(tmp_path), "--chart", str(place.folder / "chart.png")]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, OutputError)
    assert not (place.folder / "chart.png").exists()


@pytest.mark.parametrize("name", ["there.png", "chart.gif", "nowhere/chart.png"])
def test_a_chart_that_cannot_be_drawn_is_said(tmp_path: Path, name: str) -> None:
    """A file that is there stays; another ending and a missing folder are errors; nothing half is left."""
    (tmp_path / "there.png").write_bytes(b"mine")
    with pytest.raises(OutputError):
        draw_tags({"a": 1}, tmp_path / name, title="t", files=1)
    assert [path.name for path in tmp_path.iterdir()] == ["there.png"]
    assert (tmp_path / "there.png").read_bytes() == b"mine"


def test_a_dry_run_draws_nothing(place: DatasetPlace, tmp_path: Path) -> None:
    """The counts are printed all the same."""
    assert "4 caption files" in run(tmp_path, "--dry-run", "--chart", str(tmp_path / "c.png"))
    assert not (tmp_path / "c.png").exists()
