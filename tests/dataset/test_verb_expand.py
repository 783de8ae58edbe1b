"""Expanding pictures: the author's four variants, boxes, captions, backgrounds, and what may go wrong."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, PngImagePlugin
from typer.testing import CliRunner

from kohya_wrap.cli.main import app
from kohya_wrap.dataset.history import DatasetPlace, Step, place_of, read_steps, undo
from kohya_wrap.dataset.verbs.expand import (
    Box,
    ExpandOptions,
    balanced_repeats,
    expand,
    parse_box,
    propose_face,
    subsets_toml,
)
from kohya_wrap.errors import DatasetError, OutputError, ProjectBusyError

AUTHORS_BOX = Box("face", 81, 0, 284, 284)
"""Where the tutorial's author cut, found by laying face.png over train.png."""
HALF = Box("face", 0, 0, 0.5, 0.5)


def noise(size: tuple[int, int] = (64, 96)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(42).integers(0, 256, (size[1], size[0], 3), np.uint8))


@pytest.fixture
def place(tmp_path: Path) -> DatasetPlace:
    """A project with one picture that says how it was generated, and its caption."""
    place = place_of("p", root=tmp_path)
    place.folder.mkdir(parents=True)
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a tiger, Steps: 20")
    noise().save(place.folder / "a.png", pnginfo=info)
    (place.folder / "a.txt").write_text('tiger, full body, say_"lazy", \\(x\\), 🐯\n', encoding="utf-8")
    return place


def names(place: DatasetPlace) -> list[str]:
    return sorted(str(path.relative_to(place.folder)) for path in place.folder.rglob("*") if path.is_file())


def pixels(path: Path) -> "np.ndarray[tuple[int, ...], np.dtype[np.int16]]":
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(np.int16)


@pytest.mark.parametrize(
    ("ours", "authors"),
    [("", "512-original"), ("-flip", "512-flip"), ("-face", "face"), ("-face-flip", "face-flip")],
)
def test_the_authors_four_variants_come_out_of_his_picture(
    shared: Path, tmp_path: Path, ours: str, authors: str
) -> None:
    """With his box, not one pixel of the four differs from the tutorial's files, flips and sizes included."""
    place = place_of("p", root=tmp_path)
    place.folder.mkdir(parents=True)
    shutil.copy(shared / "data" / "train.png", place.folder)
    expand(place, ExpandOptions(boxes=(AUTHORS_BOX,)))
    mine, his = pixels(place.folder / f"train{ours}.png"), pixels(shared / f"data/one-image-variants/{authors}.png")
    assert mine.shape == his.shape
    assert np.abs(mine - his).mean() == 0


@pytest.mark.parametrize("mirror", [False, True])
def test_the_proposed_crop_is_about_the_authors(shared: Path, mirror: bool) -> None:  # noqa: FBT001 - a parameter
    """The guess and his box share 70 % of what they cover together, on the picture and on its mirror image."""
    with Image.open(shared / "data" / "train.png") as image:
        whole = image.convert("RGB")
    if mirror:
        whole = whole.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    left, top, right, bottom = propose_face(whole).pixels(whole.size)
    his = (512 - 81 - 284, 0, 512 - 81, 284) if mirror else (81, 0, 81 + 284, 284)
    common = (min(right, his[2]) - max(left, his[0])) * (min(bottom, his[3]) - max(top, his[1]))
    assert common / ((right - left) * (bottom - top) + 284 * 284 - common) > 0.7


@pytest.mark.parametrize("size", [(600, 800), (800, 600), (512, 512), (300, 2000), (40, 40)])
def test_the_proposal_is_a_square_inside_around_what_has_detail(size: tuple[int, int]) -> None:
    """A patterned disc in the upper half of a plain picture is met, in any shape of picture."""
    image = Image.new("RGB", size, "#203040")
    x, y, radius = size[0] / 2, size[1] * 0.3, min(size) / 5
    brush = ImageDraw.Draw(image)
    brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill="white")
    for part in (0.3, 0.6):
        brush.ellipse((x - radius * part, y - radius * part, x + radius * part, y + radius * part), outline="red")
    left, top, right, bottom = propose_face(image).pixels(size)
    assert right - left == bottom - top
    assert left < x < right
    assert top < y < bottom


def test_a_plain_picture_has_a_proposal_too() -> None:
    """Without any detail the box is still inside."""
    assert propose_face(Image.new("RGB", (100, 60))).pixels((100, 60))


def test_variants_stand_beside_the_picture_with_its_caption(place: DatasetPlace) -> None:
    """Flip, face and its flip; a crop drops its tags, whatever their spelling; the original is untouched."""
    before = (place.folder / "a.png").read_bytes()
    options = ExpandOptions(boxes=(HALF,), crop_drops=("full_body", "(x)"), crop_adds=("close-up", "tiger"))
    done = expand(place, options)
    assert [name for name in names(place) if name.endswith(".png")] == [
        "a-face-flip.png",
        "a-face.png",
        "a-flip.png",
        "a.png",
    ]
    assert (place.folder / "a.png").read_bytes() == before
    assert (place.folder / "a-flip.txt").read_text(encoding="utf-8") == 'tiger, full body, say_"lazy", \\(x\\), 🐯\n'
    assert (place.folder / "a-face.txt").read_text(encoding="utf-8") == 'tiger, say_"lazy", 🐯, close-up'
    assert done.step.counts == {"created": 6}
    undo(place)
    assert names(place) == ["a.png", "a.txt"]


def test_a_picture_without_a_caption_gives_pictures_without(place: DatasetPlace) -> None:
    """No empty caption files."""
    (place.folder / "a.txt").unlink()
    expand(place, ExpandOptions(crop=False))
    assert names(place) == ["a-flip.png", "a.png"]


@pytest.mark.parametrize("keep", [False, True])
def test_how_the_picture_was_generated_is_kept_only_when_asked(place: DatasetPlace, keep: bool) -> None:  # noqa: FBT001
    """A crop was not generated by these parameters."""
    expand(place, ExpandOptions(boxes=(HALF,), keep_parameters=keep))
    with Image.open(place.folder / "a-face.png") as image:
        image.load()
        assert image.info.get("parameters") == ("a tiger, Steps: 20" if keep else None)
        assert len(image.info) == keep


def test_made_pictures_are_not_expanded_again(place: DatasetPlace) -> None:
    """The same once more changes nothing; another box replaces the face; a copy without history knows by the names."""
    options = ExpandOptions(boxes=(HALF,))
    expand(place, options)
    assert not expand(place, options).step.counts
    assert expand(place, ExpandOptions(boxes=(Box("face", 0, 0, 20, 20),))).step.counts == {"replaced": 2}
    copy = place_of("copy", root=place.folder.parent.parent.parent)
    shutil.copytree(place.folder, copy.folder)
    with pytest.raises(DatasetError, match="not by expand"):
        expand(copy, options)
    done = expand(copy, ExpandOptions(boxes=(HALF,), replace=True))
    assert [source.path.name for source in done.sources] == ["a.png"]


def test_a_file_of_the_users_is_never_replaced_unasked(place: DatasetPlace) -> None:
    """His a-flip.txt is told before anything is made; with `replace` it can be had back."""
    (place.folder / "a-flip.txt").write_text("mine")
    with pytest.raises(DatasetError, match="is there already"):
        expand(place, ExpandOptions(crop=False))
    assert names(place) == ["a-flip.txt", "a.png", "a.txt"]
    expand(place, ExpandOptions(crop=False, replace=True))
    undo(place)
    assert (place.folder / "a-flip.txt").read_text() == "mine"


def test_two_pictures_of_one_name_are_told(place: DatasetPlace) -> None:
    """a.png and a.jpg would both give a-flip.png."""
    noise().save(place.folder / "a.jpg")
    with pytest.raises(DatasetError, match="two pictures of one name"):
        expand(place, ExpandOptions(crop=False))


def test_only_some_pictures(place: DatasetPlace) -> None:
    """By file name; one that is not there is told with those that are."""
    noise().save(place.folder / "b.png")
    assert [each.path.name for each in expand(place, ExpandOptions(pictures=("b.png",))).sources] == ["b.png"]
    with pytest.raises(DatasetError, match=r"named c\.png"):
        expand(place, ExpandOptions(pictures=("c.png",)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("81,0,284,284", Box("face", 81, 0, 284, 284)),
        ("paw=0.5,0.25,0.5,0.5", Box("paw", 0.5, 0.25, 0.5, 0.5)),
        (" eye = 1 , 2, 30, 40", Box("eye", 1, 2, 30, 40)),
    ],
)
def test_a_box_is_read(text: str, expected: Box) -> None:
    """With and without a name, in pixels and in fractions."""
    assert parse_box(text) == expected


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,x", "1,2,3,0", "-1,0,9,9", "a/b=0,0,9,9", "=0,0,9,9", "0,0,nan,9", "0,0,inf,9"]
)
def test_what_is_no_box_is_refused(text: str) -> None:
    """The error says how to write one."""
    with pytest.raises(DatasetError) as caught:
        parse_box(text)
    assert "--box" in caught.value.problems[0].where


def test_fractions_are_of_the_picture_and_padding_ends_at_its_edge() -> None:
    """Half of 100 x 200, with a margin of a tenth of the longer side."""
    assert Box("face", 0.5, 0.5, 0.5, 0.5).pixels((100, 200)) == (50, 100, 100, 200)
    assert Box("face", 0.5, 0.5, 0.5, 0.5).pixels((100, 200), 0.1) == (40, 90, 100, 200)


def test_boxes_outside_of_pictures_are_all_told(place: DatasetPlace) -> None:
    """Each picture that is too small is named, with a truncated one, and nothing is made."""
    noise().save(place.folder / "b.png")
    (place.folder / "c.png").write_bytes((place.folder / "a.png").read_bytes()[:3000])
    before = names(place)
    with pytest.raises(DatasetError) as caught:
        expand(place, ExpandOptions(boxes=(Box("face", 0, 0, 65, 20),)))
    assert [Path(problem.where.split(",")[0]).name for problem in caught.value.problems] == ["a.png", "b.png", "c.png"]
    assert names(place) == before
    assert read_steps(place.history) == []


@pytest.mark.parametrize(
    "options",
    [
        ExpandOptions(flip=False, crop=False),
        ExpandOptions(rotations=(0.0,)),
        ExpandOptions(rotations=(45.0,)),
        ExpandOptions(padding=2),
        ExpandOptions(boxes=(HALF, HALF)),
        ExpandOptions(rotations=(5.0, 5.0)),
    ],
)
def test_what_cannot_be_asked_for_is_refused(place: DatasetPlace, options: ExpandOptions) -> None:
    """Nothing at all, no small angle, a margin above the crop, one name twice."""
    with pytest.raises(DatasetError):
        expand(place, options)


@pytest.mark.parametrize("angle", [3.0, -10.0, 30.0])
def test_a_turned_picture_has_no_empty_corners(place: DatasetPlace, angle: float) -> None:
    """On white no black comes in, and the picture keeps its proportions."""
    Image.new("RGB", (200, 300), "white").save(place.folder / "a.png")
    expand(place, ExpandOptions(crop=False, flip=False, rotations=(angle,)))
    turned = pixels(place.folder / f"a-rotate{angle:+g}.png")
    assert turned.min() == 255
    assert turned.shape[0] / turned.shape[1] == pytest.approx(1.5, abs=0.03)


def test_transparent_pictures_get_white_or_the_chosen_background(place: DatasetPlace) -> None:
    """White below new ones, the original told; with a colour, the original too, and undo gives it back."""
    Image.new("RGBA", (40, 40), (255, 0, 0, 0)).save(place.folder / "a.png")
    before = (place.folder / "a.png").read_bytes()
    assert expand(place, ExpandOptions(crop=False)).untouched == 1
    assert pixels(place.folder / "a-flip.png")[0, 0].tolist() == [255, 255, 255]
    assert (place.folder / "a.png").read_bytes() == before
    assert expand(place, ExpandOptions(crop=False, background="#0000ff")).untouched == 0
    assert pixels(place.folder / "a-flip.png")[0, 0].tolist() == [0, 0, 255]
    assert pixels(place.folder / "a.png")[0, 0].tolist() == [0, 0, 255]
    undo(place)
    assert (place.folder / "a.png").read_bytes() == before


@pytest.mark.parametrize("mode", ["L", "P", "1", "I;16", "LA", "CMYK"])
def test_every_kind_of_picture_can_be_expanded(place: DatasetPlace, mode: str) -> None:
    """Grey, palette, bilevel, 16 bits, CMYK: RGB comes out."""
    path = place.folder / ("b.jpg" if mode == "CMYK" else "b.png")
    Image.new(mode, (64, 64)).save(path)
    expand(place, ExpandOptions(pictures=(path.name,)))
    with Image.open(place.folder / "b-face.png") as image:
        assert image.mode == "RGB"


def test_a_colour_that_is_none_is_told(place: DatasetPlace) -> None:
    """Before anything is looked at."""
    with pytest.raises(DatasetError, match="no colour"):
        expand(place, ExpandOptions(background="snow-ish"))


def test_an_epoch_is_kept_as_long_as_before(place: DatasetPlace) -> None:
    """1 picture x 100 becomes 4 x 25."""
    done = expand(place, ExpandOptions(boxes=(HALF,), num_repeats=100))
    assert done.repeats == {"": 25}


@pytest.mark.parametrize(
    ("counts", "repeats"),
    [
        ({"": 1, "flip": 1, "face": 1, "face-flip": 1}, 25),
        ({"": 1, "many": 50}, (50, 1)),
        ({"": 4, "face": 2}, (50, 100)),
    ],
)
def test_repeats_balance_the_subsets(counts: dict[str, int], repeats: int | tuple[int, ...]) -> None:
    """Each is shown as often as the others, together as often as the first was, never 0 times."""
    wanted = repeats if isinstance(repeats, tuple) else (repeats,) * len(counts)
    assert tuple(balanced_repeats(counts, 100).values()) == wanted


def test_subsets_have_folders_of_their_own_and_a_table_each(place: DatasetPlace) -> None:
    """What is printed is a custom_dataset that names every folder; what is made there is not expanded again."""
    import tomllib

    options = ExpandOptions(boxes=(HALF,), subsets=True, num_repeats=8, recursive=True)
    done = expand(place, options)
    assert [name for name in names(place) if name.endswith("png")] == [
        "a.png",
        "face-flip/a-face-flip.png",
        "face/a-face.png",
        "flip/a-flip.png",
    ]
    table = tomllib.loads(subsets_toml(place.folder, done.repeats))["datasets"][0]["subsets"]
    assert [(Path(each["image_dir"]).name, each["num_repeats"]) for each in table] == [
        ("dataset", 2),
        ("face", 2),
        ("flip", 2),
        ("face-flip", 2),
    ]
    assert not expand(place, options).step.counts


def test_a_proposal_is_shown_beside_the_steps_record(place: DatasetPlace) -> None:
    """The preview is a picture, outside of the dataset; a given box draws none unless asked."""
    done = expand(place, ExpandOptions())
    assert done.proposed
    assert done.preview
    assert done.preview.parent == done.step.record.folder if done.step.record else False
    with Image.open(done.preview) as image:
        assert image.width > 400
    assert expand(place, ExpandOptions(boxes=(HALF,))).preview is None


def test_a_dry_run_makes_nothing_but_the_preview_that_is_asked_for(place: DatasetPlace, tmp_path: Path) -> None:
    """So that a proposal can be looked at first."""
    done = expand(place, ExpandOptions(), preview=tmp_path / "look.png", dry_run=True)
    assert done.step.counts == {"created": 6}
    assert names(place) == ["a.png", "a.txt"]
    assert (tmp_path / "look.png").is_file()
    assert not place.history.exists()


def test_ctrl_c_in_the_middle_leaves_whole_files_and_goes_back(
    place: DatasetPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made is whole, and undo takes it away."""
    real, calls = Step._put, []

    def interrupted(step: Step, temporary: Path, path: Path) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(step, temporary, path)

    monkeypatch.setattr(Step, "_put", interrupted)
    with pytest.raises(KeyboardInterrupt):
        expand(place, ExpandOptions())
    assert names(place) == ["a-flip.png", "a-flip.txt", "a.png", "a.txt"]
    pixels(place.folder / "a-flip.png")
    monkeypatch.undo()
    undo(place)
    assert names(place) == ["a.png", "a.txt"]


def test_two_at_once_are_refused(place: DatasetPlace) -> None:
    """While a step is open, expand says so and makes nothing."""
    from filelock import FileLock

    place.history.mkdir()
    with FileLock(place.history / ".lock"), pytest.raises(ProjectBusyError):
        expand(place, ExpandOptions())
    assert names(place) == ["a.png", "a.txt"]


def test_a_history_that_cannot_be_written_makes_nothing(place: DatasetPlace) -> None:
    """Where nothing can be kept, nothing is made: here a file stands where the folder belongs."""
    place.history.write_text("in the way")
    with pytest.raises(OutputError):
        expand(place, ExpandOptions())
    assert names(place) == ["a.png", "a.txt"]


def test_the_command_line_says_boxes_repeats_and_that_it_guessed(place: DatasetPlace, tmp_path: Path) -> None:
    """Few lines, and how to take it back."""
    done = CliRunner().invoke(
        app, ["dataset", "expand", "p", "--root", str(tmp_path), "--num-repeats", "100", "--crop-drops", "full_body"]
    )
    assert done.exit_code == 0, done.output
    assert "a.png, 64x96 (proposed: face " in done.stdout
    assert f"6 new files (step 1; `kohya-wrap dataset undo {place.folder}` takes it back)" in done.stdout
    assert "a guess" in done.stdout
    assert "steps.num_repeats=25" in done.stdout
    assert len(done.stdout.splitlines()) <= 6
