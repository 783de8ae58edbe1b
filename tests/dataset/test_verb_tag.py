"""tag: what goes into the model, what comes out of it, and what is written."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dataset_helpers import forbid
from PIL import Image
from tagger_model import SIDE, write_list, write_tagger

from kohya_wrap.dataset.history import DatasetPlace, open_step, place_of, undo
from kohya_wrap.dataset.taggers import TAGGERS, open_taggers
from kohya_wrap.dataset.taggers.labels import read_labels, written
from kohya_wrap.dataset.verbs.tag import Tagged, TagOptions, tag
from kohya_wrap.errors import DatasetError, OutputError, ProjectBusyError

OFTEN = '^_^, (o)_(o), don\'t say "lazy", tail (cat)'


@pytest.fixture
def place(tmp_path: Path) -> DatasetPlace:
    """A project with a red and a blue picture."""
    folder = tmp_path / "Loras/p/dataset"
    (folder / "sub").mkdir(parents=True)
    Image.new("RGB", (40, 40), (255, 0, 0)).save(folder / "red.png")
    Image.new("RGB", (40, 40), (0, 0, 255)).save(folder / "sub/blue.png")
    write_tagger(tmp_path / "tagger")
    return place_of("p", root=tmp_path)


def nothing_to_fetch(repo: str, file: str) -> Path:
    raise AssertionError(f"{repo} {file} was asked for")


def options_of(place: DatasetPlace, **changes: object) -> TagOptions:
    root = place.folder.parents[2]
    return replace(TagOptions(tagger=str(root / "tagger")), **changes)  # type: ignore[arg-type]


def run(place: DatasetPlace, **changes: object) -> Tagged:
    return tag(place, options_of(place, **changes), fetch=nothing_to_fetch)


def caption(place: DatasetPlace, name: str = "red.txt") -> str:
    return (place.folder / name).read_text(encoding="utf-8")


def test_channels_are_blue_green_red(place: DatasetPlace) -> None:
    """The model's first channel is blue: a red picture gets red_hair, a blue one blue_hair."""
    run(place, recursive=True)
    assert caption(place) == f"red hair, {OFTEN}"
    assert caption(place, "sub/blue.txt") == f"blue hair, {OFTEN}"


def test_what_the_model_gets(tmp_path: Path) -> None:
    """Worked out by hand: a 32 x 16 picture is padded to 32 x 32 with 8 white rows above and below; 0 to 255, BGR."""
    (model,) = open_taggers(str(write_tagger(tmp_path / "tagger")), nothing_to_fetch)
    made = model.prepare(Image.new("RGB", (SIDE, SIDE // 2), (200, 100, 50)))
    assert made.shape == (SIDE, SIDE, 3)
    assert made.dtype == np.uint8
    expected = np.full((SIDE, SIDE, 3), 255)
    expected[8:24] = (50, 100, 200)
    np.testing.assert_array_equal(made, expected)


def test_resized_bicubic(tmp_path: Path) -> None:
    """A 64-pixel edge from black to white, halved: bicubic overshoots, clipped, and its two middle values are known.

    Pillow's bicubic (a = -0.5) at half size has the weights -3 -9 29 111 111 29 -9 -3 of 256 for the eight pixels
    around; left of the edge three of them are white (29 - 9 - 3 = 17), right of it all but three.
    """
    (model,) = open_taggers(str(write_tagger(tmp_path / "tagger")), nothing_to_fetch)
    edge = np.zeros((64, 64, 3), np.uint8)
    edge[:, 32:] = 255
    row = model.prepare(Image.fromarray(edge))[0, :, 0].astype(int)
    assert row[14:18].tolist() == [0, 17, 238, 255]


def test_transparent_places_are_white(place: DatasetPlace) -> None:
    """What cannot be seen does not count: transparent red is no red hair."""
    Image.new("RGBA", (40, 40), (255, 0, 0, 0)).save(place.folder / "red.png")
    run(place)
    assert caption(place) == OFTEN


def test_probabilities_are_the_models_own(place: DatasetPlace) -> None:
    """tail_(cat) has sigmoid(-0.5) = 0.378: written at 0.37, not at 0.38. The sigmoid is not applied twice."""
    run(place, tag_threshold=0.37)
    assert "tail (cat)" in caption(place)
    run(place, tag_threshold=0.38)
    assert "tail (cat)" not in caption(place)


def test_characters_when_asked(place: DatasetPlace) -> None:
    """Left out, at the threshold of tags, or at one of their own (theirs is 0.62). After the general tags."""
    run(place)
    assert "lakto" not in caption(place)
    run(place, include_character_names=True)
    assert caption(place).endswith(", lakto (tiger)")
    run(place, character_threshold=0.7, include_character_names=True)
    assert "lakto" not in caption(place)


def test_blacklist(place: DatasetPlace) -> None:
    """With spaces or underscores, in any case; the notebook's list is the default, ratings are never written."""
    run(place, blacklist_tags=("Red Hair", "tail_(cat)"))
    assert caption(place) == '^_^, (o)_(o), don\'t say "lazy", alternate costume'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("long_hair", "long hair"),
        ("^_^", "^_^"),
        ("o_o", "o_o"),
        ("||_||", "||_||"),
        ("(o)_(o)", "(o)_(o)"),
        (":d", ":d"),
        ("\\m/", "\\m/"),
        ("saber_(fate)", "saber (fate)"),
        ("v-shaped_eyebrows", "v-shaped eyebrows"),
    ],
)
def test_underscores(name: str, text: str) -> None:
    """They are spaces, except in emoticons."""
    assert written(name) == text


def test_append_and_replace(place: DatasetPlace) -> None:
    """What is there stays first, and is not said twice; without --append it goes, and undo brings it back."""
    (place.folder / "red.txt").write_text("lakto_tiger, Red Hair")
    run(place, append=True)
    assert caption(place) == f"lakto_tiger, Red Hair, {OFTEN}"
    run(place)
    assert caption(place) == f"red hair, {OFTEN}"
    undo(place)
    undo(place)
    assert caption(place) == "lakto_tiger, Red Hair"


def test_both_taggers(place: DatasetPlace, tmp_path: Path) -> None:
    """The second one's tags come after the first one's, each once."""
    folders = {
        source.repo: write_tagger(tmp_path / f"t{at}", extra=(f"only_{at}", 0))
        for at, source in enumerate(TAGGERS["both"])
    }
    done = tag(place, TagOptions(tagger="both"), fetch=lambda repo, file: folders[repo] / file)
    assert caption(place) == f"red hair, {OFTEN}, only 0, only 1"
    assert list(done.providers) == list(folders)


def test_result(place: DatasetPlace) -> None:
    """The tags that most pictures have, and what it ran on."""
    done = run(place, recursive=True)
    assert done.pictures == 2
    assert dict(done.top)["^_^"] == 2
    assert dict(done.top)["red hair"] == 1
    assert set(done.providers.values()) <= {"CPU", "CUDA"}


def test_more_pictures_than_a_batch(place: DatasetPlace) -> None:
    """Every picture gets its own tags, whatever the size of a batch."""
    colors = [(255, 0, 0), (0, 0, 255)]
    for at in range(23):
        Image.new("RGB", (30 + at, 40), colors[at % 2]).save(place.folder / f"{at:02}.png")
    run(place, batch_size=4)
    assert [caption(place, f"{at:02}.txt")[:4] for at in (0, 1, 10, 21, 22)] == ["red ", "blue", "red ", "blue", "red "]


def test_a_picture_that_is_text(place: DatasetPlace) -> None:
    """It is named and keeps its caption; the others are tagged."""
    (place.folder / "a.png").write_text("I am text")
    (place.folder / "a.txt").write_text("mine")
    done = run(place)
    assert [Path(problem.where).name for problem in done.unreadable] == ["a.png"]
    assert caption(place, "a.txt") == "mine"
    assert caption(place).startswith("red hair")


def test_pictures_that_share_a_caption(place: DatasetPlace) -> None:
    """Two pictures of one stem: the file has the tags of both."""
    Image.new("RGB", (40, 40), (0, 0, 255)).save(place.folder / "red.webp")
    run(place)
    assert {"red hair", "blue hair"} <= set(caption(place).split(", "))


def test_dry_run(place: DatasetPlace) -> None:
    """Tags are counted, nothing is written."""
    done = tag(place, options_of(place), fetch=nothing_to_fetch, dry_run=True)
    assert done.step.counts["created"] == 1
    assert not (place.folder / "red.txt").exists()
    assert not place.history.exists()


def test_a_list_of_another_model(place: DatasetPlace, tmp_path: Path) -> None:
    """v2's list with v3's model is refused before a caption is written."""
    write_list(tmp_path / "tagger/selected_tags.csv", [("a", 0)])
    with pytest.raises(DatasetError, match="its list has 1 tags"):
        run(place)
    assert not (place.folder / "red.txt").exists()


def test_a_model_without_sigmoid(place: DatasetPlace, tmp_path: Path) -> None:
    """Numbers beyond 0 to 1 are no probabilities."""
    write_tagger(tmp_path / "tagger", sigmoid=False)
    with pytest.raises(DatasetError, match="no probabilities"):
        run(place)


@pytest.mark.parametrize("file", ["model.onnx", "selected_tags.csv"])
@pytest.mark.parametrize("content", [b"", b"<html>login</html>", b"\xff\xfe\x00"])
def test_damaged_files(place: DatasetPlace, tmp_path: Path, file: str, content: bytes) -> None:
    """A login page under the file's name is an error that names the file."""
    (tmp_path / "tagger" / file).write_bytes(content)
    with pytest.raises(DatasetError, match=file):
        run(place)


@pytest.mark.parametrize("name", ["wd-eva03", "../x", "", "a/b/c"])
def test_no_such_tagger(place: DatasetPlace, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message lists what there is."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    with pytest.raises(DatasetError):
        run(place, tagger=name)


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan")])
def test_thresholds_out_of_range(place: DatasetPlace, threshold: float) -> None:
    """From 0 to 1."""
    with pytest.raises(DatasetError, match="tag_threshold"):
        run(place, tag_threshold=threshold)


def test_labels_are_read_with_quotes(tmp_path: Path) -> None:
    """Names hold commas and quotes."""
    write_list(tmp_path / "l.csv", [('don\'t_say_"lazy"', 0), ("a,b", 4), ("c", 9)])
    assert [(one.name, one.category) for one in read_labels(tmp_path / "l.csv")] == [
        ('don\'t_say_"lazy"', "general"),
        ("a,b", "character"),
        ("c", "rating"),
    ]


def test_two_at_once(place: DatasetPlace) -> None:
    """Refused while another step goes on."""
    with open_step(place, "curate", {}), pytest.raises(ProjectBusyError):
        run(place)


def test_no_permission(place: DatasetPlace) -> None:
    """An error that names the caption; the step so far can be undone."""
    forbid(place.folder, 0o500)
    try:
        with pytest.raises(OutputError, match=r"red\.txt"):
            run(place)
    finally:
        place.folder.chmod(0o700)


def test_ctrl_c_and_undo(place: DatasetPlace) -> None:
    """Ctrl-C in the middle: every caption is whole or as it was, and undo gives all back."""
    for at in range(3000):
        Image.new("RGB", (8, 8), (255, 0, 0)).save(place.folder / f"{at:04}.png")
        (place.folder / f"{at:04}.txt").write_text("old")
    program = (
        "import sys; from pathlib import Path; from kohya_wrap.dataset.history import place_of;"
        "from kohya_wrap.dataset.verbs.tag import *;"
        "tag(place_of('p', root=Path(sys.argv[1])), TagOptions(tagger=sys.argv[1] + '/tagger'), fetch=None)"
    )
    root = place.folder.parents[2]
    process = subprocess.Popen((sys.executable, "-c", program, str(root)), stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while (place.folder / "0099.txt").read_text() == "old" and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(60) != 0
    texts = {(place.folder / f"{at:04}.txt").read_text() for at in range(3000)}
    assert texts == {"old", f"red hair, {OFTEN}"}
    undo(place)
    assert {(place.folder / f"{at:04}.txt").read_text() for at in range(3000)} == {"old"}
