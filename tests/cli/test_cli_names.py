"""Names of files as the dataset verbs show them: one line each, and nothing that a terminal would obey."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from kohya_wrap.cli.dataset.caption import print_captioned
from kohya_wrap.dataset.captioning import BlipOptions, OnCaption
from kohya_wrap.dataset.history import place_of
from kohya_wrap.dataset.verbs.caption import CaptionOptions, caption

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))
NAME = "a\nb\t\x1b[2J\udce4.png"
"""A line break, a tab, an order to clear the screen, and a byte that is no UTF-8."""
SHOWN = r"a\nb\t\x1b[2J\udce4.png"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with two equal pictures and two notes, each named by a prankster."""
    folder = tmp_path / "Loras/p/dataset"
    folder.mkdir(parents=True)
    for name in (NAME, f"z{NAME}"):
        Image.linear_gradient("L").convert("RGB").save(folder / name)
        (folder / name).with_suffix(".txt").write_text("tiger")
        (folder / name).with_suffix(".md").write_text("mine")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("clean", "p", "--dry-run"), SHOWN.replace("png", "md")),
        (("dedupe", "p", "--dry-run"), SHOWN),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_name_stays_on_its_line(root: Path, words: tuple[str, ...], name: str) -> None:
    """Whatever the verb says about the file."""
    said = subprocess.run(
        (COMMAND, "dataset", *words, "--root", str(root)), capture_output=True, text=True, check=False, timeout=60
    )
    assert any(name in line for line in said.stdout.splitlines()), said.stdout + said.stderr
    assert "\x1b" not in said.stdout


def test_examples_of_captions_stay_on_their_lines(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two pictures, two lines, then the step's."""

    def parrot(pictures: Sequence[Path], options: BlipOptions, *, on_caption: OnCaption) -> str:
        for path in pictures:
            on_caption(path, "a tiger", "")
        return "a test"

    print_captioned(caption(place_of("p", root=root), CaptionOptions(), captioner=parrot, dry_run=True), "a parrot")
    lines = capsys.readouterr().out.split("\n")
    assert lines[1:3] == [f"  {SHOWN}: a tiger", f"  z{SHOWN}: a tiger"]
    assert len(lines) == 5
