"""Curating captions: the notebook's results in its order, brackets for weights and back, and what may go wrong."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from kohya_wrap.cli.main import app
from kohya_wrap.dataset.history import DatasetPlace, Step, place_of, read_steps, undo
from kohya_wrap.dataset.tag_text import join_tags, plain_tag, split_tags
from kohya_wrap.dataset.verbs.curate import CurateOptions, curate, curate_tags
from kohya_wrap.errors import DatasetError, OutputError, ProjectBusyError

HOSTILE = [
    'don\'t_say_"lazy"',
    "saber (fate)",
    "\\m/",
    ":3",
    "(o)_(o)",
    "[x]",
    "🐯 tiger",
    "虎",
    "a\\(b\\)",
    "\\",
    "x:1.1",
]


def curated(text: str, **options: object) -> str:
    return join_tags(curate_tags(split_tags(text), CurateOptions(**options)).tags)  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_path: Path) -> DatasetPlace:
    """A project with three captions, one of them in a sub-folder."""
    place = place_of("p", root=tmp_path)
    (place.folder / "sub").mkdir(parents=True)
    for name, text in (("a", "red eyes, tiger"), ("b", "tiger, solo"), ("sub/c", "solo")):
        (place.folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return place


def content(place: DatasetPlace) -> dict[str, str]:
    paths = sorted(place.folder.rglob("*.txt"))
    return {str(path.relative_to(place.folder)): path.read_text(encoding="utf-8") for path in paths}


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("a, b", {"global_activation_tag": ("x",)}, "x, a, b"),
        ("a, x, b", {"global_activation_tag": ("x", "y")}, "x, y, a, b"),
        ("a, b, a", {"remove_tags": ("a",)}, "b, a"),
        ("a, b", {"search_tags": ("a", "z"), "replace_with": ("n",)}, "b, n"),
        ("a, b", {"search_tags": ("a", "z"), "replace_with": ("n",), "search_mode": "AND"}, "a, b"),
        ("a, b", {"replace_with": ("n",), "search_mode": "AND"}, "a, b, n"),
        ("a, b", {"replace_with": ("n",)}, "a, b"),
        ("a, b, c", {"search_tags": ("a", "b"), "replace_with": ("n", "b", "m")}, "c, b, m, n"),
        (
            "a, b, c",
            {"search_tags": ("a",), "replace_with": ("n", "m", "c"), "new_becomes_activation_tag": True},
            "n, m, c, b",
        ),
        ("c, a, B", {"sort_alphabetically": True, "global_activation_tag": ("x",)}, "x, B, a, c"),
        ("b, a, b, a", {"remove_duplicates": True}, "b, a"),
        ("a, a, b", {"remove_duplicates": True, "remove_tags": ("a",)}, "b"),
        ("a", {"remove_tags": ("a",), "search_tags": ("a",), "replace_with": ("n",)}, ""),
        (" a ,, b,\n", {}, "a, b"),
        ("a\nb, c", {"global_activation_tag": ("x",)}, "x, a\nb, c"),
    ],
)
def test_the_results_are_the_notebooks(text: str, options: dict[str, object], expected: str) -> None:
    """Duplicates, sorting, removing, replacing, then what comes first: worked out by hand from the cell's rules."""
    assert curated(text, **options) == expected


@pytest.mark.parametrize("tag", HOSTILE)
def test_any_tag_can_be_found_removed_and_put_first(tag: str) -> None:
    """Tags are text, not patterns: brackets, quotes, backslashes, emoji."""
    assert curated(f"a, {tag}, b", remove_tags=(tag,)) == "a, b"
    assert curated("a, b", global_activation_tag=(tag,)) == f"{tag}, a, b"


@pytest.mark.parametrize(
    ("weight", "expected"),
    [(1.0, r"saber \(fate\), \:3, solo"), (1.1, r"(saber \(fate\):1.1), \:3, solo")],
)
def test_tags_are_adjusted_for_weighted_captions(weight: float, expected: str) -> None:
    """Brackets and colons are escaped; the first tag gets the weight where it is above 1."""
    text = "saber (fate), :3, solo"
    assert curated(text, adjust_tags=True, weighted_captions=True, activation_tag_weight=weight) == expected


@pytest.mark.parametrize("tag", [tag for tag in HOSTILE if tag != "a\\(b\\)"])
def test_adjusting_goes_back_and_does_nothing_twice(tag: str) -> None:
    """Without weighted_captions the tags are plain again, whatever they hold; twice is as once."""
    text = f"{tag}, solo, {tag}"
    on = {"adjust_tags": True, "weighted_captions": True, "activation_tag_weight": 1.2, "activation_tags": 2}
    once = curated(text, **on)
    assert once != text
    assert curated(once, **on) == once
    assert curated(once, adjust_tags=True) == text


def test_the_engine_reads_adjusted_tags_as_they_were() -> None:
    """Every sign that means something to the engine's weights stands behind a backslash."""
    assert curated(r"(o)_[o]\m/:", adjust_tags=True, weighted_captions=True) == r"\(o\)_\[o\]\\m/\:"


def test_adjusted_captions_are_curated_by_their_plain_tags() -> None:
    """An activation tag with a weight is not put there a second time."""
    options = CurateOptions(
        global_activation_tag=("saber (fate)",), adjust_tags=True, weighted_captions=True, activation_tag_weight=1.1
    )
    tags = split_tags(r"(saber \(fate\):1.1), solo")
    assert curate_tags(tags, options).tags == tags
    assert plain_tag("(x:1.1") == "(x:1.1"


def test_every_caption_file_is_curated_and_undone(place: DatasetPlace) -> None:
    """Sub-folders too, as in the notebook; undo gives all back; what has its tag first already is left alone."""
    before = content(place)
    result = curate(place, CurateOptions(global_activation_tag=("tiger",), remove_tags=("solo",)))
    assert content(place) == {"a.txt": "tiger, red eyes", "b.txt": "tiger", "sub/c.txt": "tiger"}
    assert (result.files, result.removed, result.step.counts) == (3, 2, {"replaced": 3})
    undo(place)
    assert content(place) == before


def test_sub_folders_and_other_endings_can_be_left_out(place: DatasetPlace) -> None:
    """recursive = False; .TXT counts as .txt, as in the notebook; hidden files do not."""
    (place.folder / "d.TXT").write_text("d")
    (place.folder / ".e.txt").write_text("e")
    assert curate(place, CurateOptions(remove_tags=("d",), recursive=False)).files == 3
    assert (place.folder / "d.TXT").read_text() == ""
    assert curate(place, CurateOptions(caption_extension="caption")).files == 0


def test_the_history_says_what_was_asked(place: DatasetPlace) -> None:
    """Only what differs from the defaults."""
    curate(place, CurateOptions(remove_tags=("solo",)))
    assert read_steps(place.history)[0].arguments == {"remove_tags": ["solo"]}


def test_a_byte_order_mark_is_no_part_of_a_tag(place: DatasetPlace) -> None:
    """It would stand between the activation tag and the rest; line ends of Windows are read as line ends."""
    (place.folder / "a.txt").write_bytes(b"\xef\xbb\xbftiger,\r\nsolo\r\n")
    curate(place, CurateOptions(global_activation_tag=("x",)))
    assert (place.folder / "a.txt").read_bytes() == b"x, tiger, solo"


def test_captions_that_cannot_be_read_are_all_named_first(place: DatasetPlace) -> None:
    """Not UTF-8, or a folder of that name's link: nothing is changed, and no step is left."""
    (place.folder / "a.txt").write_bytes(b"tiger\xff")
    (place.folder / "z.txt").symlink_to(place.folder / "nowhere")
    before = (place.folder / "b.txt").read_text()
    with pytest.raises(DatasetError) as caught:
        curate(place, CurateOptions(global_activation_tag=("x",)))
    assert [Path(problem.where).name for problem in caught.value.problems] == ["a.txt", "z.txt"]
    assert (place.folder / "b.txt").read_text() == before
    assert read_steps(place.history) == []


def test_a_caption_of_a_megabyte(place: DatasetPlace) -> None:
    """It is curated like any other, and comes back."""
    text = ", ".join(f"tag {number}" for number in range(100_000))
    (place.folder / "a.txt").write_text(text)
    curate(place, CurateOptions(global_activation_tag=("x",), remove_tags=("tag 99999",), remove_duplicates=True))
    assert (place.folder / "a.txt").read_text() == "x, " + text.removesuffix(", tag 99999")
    undo(place)
    assert (place.folder / "a.txt").read_text() == text


def test_ctrl_c_in_the_middle_leaves_whole_files_and_goes_back(
    place: DatasetPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first file is whole, the others are as before, and undo works."""
    before = content(place)
    real, calls = Step._put, []

    def interrupted(step: Step, temporary: Path, path: Path) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(step, temporary, path)

    monkeypatch.setattr(Step, "_put", interrupted)
    with pytest.raises(KeyboardInterrupt):
        curate(place, CurateOptions(global_activation_tag=("x",)))
    assert content(place) == {**before, "a.txt": "x, red eyes, tiger"}
    monkeypatch.undo()
    undo(place)
    assert content(place) == before


def test_a_process_that_is_interrupted_leaves_whole_files(place: DatasetPlace, tmp_path: Path) -> None:
    """Ctrl-C on the real command, in the middle of 4,000 files: exit code 130, each file old or new, undo gives all."""
    for number in range(4000):
        (place.folder / f"{number}.txt").write_text(f"tag {number}, solo")
    before = content(place)
    line = [str(Path(sys.executable).with_name("kohya-wrap")), "dataset", "curate", "p", "--activation-tag", "x"]
    process = subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 2000 for path in place.history.glob("*/changes.jsonl")):
        assert process.poll() is None
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    after = content(place)
    changed = [name for name in before if after[name] != before[name]]
    assert 0 < len(changed) < len(before)
    assert all(after[name] == f"x, {before[name]}" for name in changed)
    assert after.keys() == before.keys()
    undo(place)
    assert content(place) == before


def _hold(path: str, held: "multiprocessing.synchronize.Event", done: "multiprocessing.synchronize.Event") -> None:
    with FileLock(path):
        held.set()
        done.wait(30)


def test_two_verbs_at_once_are_refused(place: DatasetPlace) -> None:
    """While another process changes the dataset, this one says so and changes nothing; afterwards it works."""
    place.history.mkdir()
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(place.history / ".lock"), held, done))
    other.start()
    try:
        assert held.wait(30)
        before = content(place)
        with pytest.raises(ProjectBusyError):
            curate(place, CurateOptions(global_activation_tag=("x",)))
        assert content(place) == before
    finally:
        done.set()
        other.join(30)
    assert curate(place, CurateOptions(global_activation_tag=("x",))).step.counts == {"replaced": 3}


def test_a_history_that_cannot_be_written_changes_nothing(place: DatasetPlace) -> None:
    """Where nothing can be kept, nothing is replaced: here a file stands where the folder belongs."""
    before = content(place)
    place.history.write_text("in the way")
    with pytest.raises(OutputError, match="history"):
        curate(place, CurateOptions(global_activation_tag=("x",)))
    assert content(place) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_said(place: DatasetPlace) -> None:
    """The error names the file, which is as it was."""
    place.folder.chmod(0o500)
    with pytest.raises(OutputError):
        curate(place, CurateOptions(global_activation_tag=("x",), recursive=False))
    place.folder.chmod(0o700)
    assert content(place)["a.txt"] == "red eyes, tiger"


def test_the_command_line_curates_and_says_what_it_did(place: DatasetPlace, tmp_path: Path) -> None:
    """A dry run changes nothing; the real one says how to take it back."""
    line = ["dataset", "curate", "p", "--root", str(tmp_path), "--activation-tag", "x", "--remove-tags", "solo, tiger"]
    before = content(place)
    dry = CliRunner().invoke(app, [*line, "--dry-run"])
    assert (dry.exit_code, content(place)) == (0, before)
    assert "would be: 3 changed caption files" in dry.output
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 0, done.output
    assert "3 caption files, 4 tags removed" in done.output
    assert "step 1; `kohya-wrap dataset undo " in done.output
    assert content(place)["a.txt"] == "x, red eyes"
