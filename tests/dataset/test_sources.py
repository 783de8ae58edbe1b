"""dataset.images: what it names, what will be copied, and what is written in the end."""

import hashlib
import os
from pathlib import Path

import pytest
from dataset_helpers import Tables, captioned, codes, draw, forbid, found, only, prepared, project_of, state_of
from PIL import Image

from kohya_wrap.dataset import dataset_hashes, materialise
from kohya_wrap.dataset.demo import PICTURES
from kohya_wrap.errors import DatasetError, OutputError
from kohya_wrap.paths import ProjectPaths


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    """Give a project that has no dataset folder yet."""
    return ProjectPaths(tmp_path, "tiger")


def images(*names: str) -> Tables:
    return {"dataset": {"images": list(names)}}


def test_one_picture(project: ProjectPaths) -> None:
    """A picture is to be copied with its caption; planning it writes nothing."""
    captioned(project.root / "mine" / "x.png")
    before = state_of(project.root)
    dataset = prepared(project, {"dataset": {"images": "mine/x.png"}})
    assert [copy.target for copy in dataset.copies] == [project.dataset / "x.png", project.dataset / "x.txt"]
    assert (dataset.train_images, dataset.has_captions, dataset.findings) == (10, True, ())
    assert state_of(project.root) == before


def test_folder(project: ProjectPaths) -> None:
    """Of a folder every picture comes; other files in it do not matter, because they stay where they are."""
    for name in ("a", "b"):
        captioned(project.root / "mine" / f"{name}.png")
    (project.root / "mine" / "Thumbs.db").write_bytes(b"x")
    dataset = prepared(project, images("mine"))
    assert (dataset.train_images, len(dataset.copies), dataset.findings) == (20, 4, ())


def test_copied_then_known(project: ProjectPaths) -> None:
    """Copied once, the pictures are found in place; counts and hashes stay, and nothing is copied again."""
    captioned(project.root / "mine" / "x.png")
    first = prepared(project, images("mine"))
    materialise(first)
    second = prepared(project, images("mine"))
    assert (second.copies, second.findings, second.train_images) == ((), (), first.train_images)
    assert dataset_hashes(first) == dataset_hashes(second)


def test_source_is_not_touched(project: ProjectPaths) -> None:
    """Copying leaves what it copies as it was, times included, and its copy has them too."""
    source = captioned(project.root / "mine" / "x.png")
    os.utime(source, (1_000, 1_000))
    before = state_of(source.parent)
    materialise(prepared(project, images("mine")))
    assert state_of(source.parent) == before
    assert state_of(project.dataset) == before


def test_a_file_is_never_replaced(project: ProjectPaths) -> None:
    """A file that came to lie there after planning stays."""
    captioned(project.root / "mine" / "x.png")
    dataset = prepared(project, images("mine"))
    project.dataset.mkdir(parents=True)
    (project.dataset / "x.txt").write_text("edited\n", encoding="utf-8")
    materialise(dataset)
    assert (project.dataset / "x.txt").read_text(encoding="utf-8") == "edited\n"


def test_hashes(project: ProjectPaths) -> None:
    """Every picture and caption is hashed where the engine reads it."""
    captioned(project.root / "mine" / "x.png", caption="tiger\n")
    dataset = prepared(project, images("mine"))
    materialise(dataset)
    picture, caption = dataset_hashes(dataset)
    assert (caption.path, caption.size) == (project.dataset / "x.txt", 6)
    assert caption.sha256 == hashlib.sha256(b"tiger\n").hexdigest()
    assert picture.path == project.dataset / "x.png"


def test_hash_of_a_file_that_went(project: ProjectPaths) -> None:
    """A picture that disappeared is an error that names it."""
    captioned(project.dataset / "x.png")
    dataset = prepared(project)
    (project.dataset / "x.png").unlink()
    with pytest.raises(DatasetError, match=r"x\.png"):
        dataset_hashes(dataset)


def test_demo_is_drawn(project: ProjectPaths) -> None:
    """The demo's pictures have the sizes that were planned, and are the same every time."""
    dataset = prepared(project, {"dataset": {"images": "builtin:demo"}})
    materialise(dataset)
    drawn = dataset_hashes(dataset)
    assert len(drawn) == 2 * len(PICTURES)
    for picture in PICTURES:
        with Image.open(project.dataset / picture.name) as image:
            assert image.size == picture.size
    other = ProjectPaths(project.root, "other")
    materialise(prepared(other, {"dataset": {"images": "builtin:demo"}}))
    assert state_of(other.dataset).keys() == state_of(project.dataset).keys()
    again = [entry.sha256 for entry in dataset_hashes(prepared(other))]
    assert again == [entry.sha256 for entry in drawn]


def test_drawn_demo_is_clean(project: ProjectPaths) -> None:
    """Once drawn, the demo has no findings, and counts as it did before."""
    tables: Tables = {"dataset": {"images": "builtin:demo", "activation_tag": "demo_shape"}}
    before = prepared(project, tables)
    materialise(before)
    after = prepared(project, tables)
    assert (after.findings, after.groups) == ((), before.groups)


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("nowhere.png", "source-missing", "does not exist"),
        ("mine/*.png", "source-missing", "pattern"),
        ("~nobody-of-this-name/x.png", "source-missing", "does not exist"),
        ("a\0b", "source-missing", "no path"),
        ("https://example.org/x.html", "source-link", "link"),
        ("mine/notes.psd", "unknown-ending", "reads"),
        ("bare", "folder-empty", "no picture"),
        ("n" * 300, "folder-unreadable", "too long"),
    ],
)
def test_wrong_source(project: ProjectPaths, name: str, code: str, says: str) -> None:
    """What cannot be a source is said with its name."""
    draw(project.root / "mine" / "x.png")
    (project.root / "mine" / "notes.psd").write_bytes(b"8BPS")
    (project.root / "bare").mkdir()
    assert says in only(found(project, images(name)), code).what


def test_missing_and_sound_sources(project: ProjectPaths) -> None:
    """Everything wrong with several sources comes at once."""
    captioned(project.root / "mine" / "x.png")
    names = ("no.png", "mine", "https://example.org", "nowhere")
    assert codes(found(project, images(*names))) == ["source-link", "source-missing", "source-missing"]


def test_two_sources_of_one_name(project: ProjectPaths) -> None:
    """Two pictures of one name from two folders would replace one another."""
    captioned(project.root / "a" / "x.png")
    draw(project.root / "b" / "x.png", color="#111")
    assert codes(found(project, images("a", "b"))) == ["target-differs"]


def test_named_twice(project: ProjectPaths) -> None:
    """A picture that is named twice is copied once."""
    captioned(project.root / "a" / "x.png")
    dataset = prepared(project, images("a", "a/x.png"))
    assert (len(dataset.copies), dataset.train_images, dataset.findings) == (2, 10, ())


def test_stems_clash_across_sources(project: ProjectPaths) -> None:
    """Two pictures of one stem clash once they are together, wherever they come from."""
    captioned(project.root / "a" / "x.png")
    draw(project.root / "b" / "x.jpg")
    assert codes(found(project, images("a", "b"))) == ["same-stem"]


def test_captions_are_missing_across_folders(project: ProjectPaths) -> None:
    """A source without captions is found when what lies in the folder has some."""
    captioned(project.dataset / "x.png")
    draw(project.root / "a" / "y.png")
    tables = images("a", str(project.dataset))
    assert only(found(project, tables), "caption-missing").what.startswith("y.png")


def test_other_picture_in_place(project: ProjectPaths) -> None:
    """A file of the same name and other content in the dataset folder is not replaced, but said."""
    captioned(project.root / "a" / "x.png")
    captioned(project.dataset / "x.png", (80, 96))
    assert only(found(project, images("a")), "target-differs").where == str(project.dataset / "x.png")


def test_captions_that_were_curated_are_one_finding(project: ProjectPaths) -> None:
    """Not one for each file; what to do trains what was curated."""
    for name in "xyz":
        captioned(project.root / "a" / f"{name}.png")
        captioned(project.dataset / f"{name}.png")
        (project.dataset / f"{name}.txt").write_text("lakto, tiger")
    problem = only(found(project, images("a")), "target-differs")
    assert problem.what == "x.txt, y.txt, z.txt differ from those that dataset.images names"
    assert problem.todo.startswith("leave dataset.images empty")
    assert found(project, {"dataset": {"activation_tag": "lakto"}}) == []


def test_pictures_that_are_not_named(project: ProjectPaths) -> None:
    """What lies in the dataset folder and is not named would be trained too."""
    captioned(project.root / "a" / "x.png")
    captioned(project.dataset / "old.png")
    assert only(found(project, images("a")), "not-named").what.startswith("also holds old.png")


def test_each_finding_once(project: ProjectPaths) -> None:
    """A folder that is looked at twice, as source and as dataset, has each finding once."""
    captioned(project.dataset / "x.png")
    draw(project.dataset / "Odd.Png")
    assert codes(found(project, images(str(project.dataset)))) == ["mixed-case-ending"]


def test_caches_from_before(project: ProjectPaths) -> None:
    """Latents that lie where a picture is about to come cannot be that picture's, whatever their time."""
    captioned(project.root / "a" / "x.png")
    project.dataset.mkdir(parents=True)
    (project.dataset / "x_0096x0080_sd.npz").write_bytes(b"PK")
    assert codes(found(project, images("a"))) == ["stale-cache"]


def test_target_cannot_be_made(project: ProjectPaths) -> None:
    """Where the dataset folder cannot be made, the error says where."""
    captioned(project.root / "a" / "x.png")
    project.dataset.parent.parent.mkdir(parents=True)
    project.dataset.parent.write_text("a file", encoding="utf-8")
    with pytest.raises(OutputError, match="tiger"):
        materialise(prepared(project, images("a")))


def test_no_write_permission(project: ProjectPaths) -> None:
    """A dataset folder that may not be written is an error that names the file."""
    captioned(project.root / "a" / "x.png")
    dataset = prepared(project, images("a"))
    project.dataset.mkdir(parents=True)
    forbid(project.dataset, 0o500)
    with pytest.raises(OutputError, match=r"x\.png"):
        materialise(dataset)


def test_empty_project(tmp_path: Path) -> None:
    """An empty dataset folder, and one with other files only, hold no picture."""
    project = project_of(tmp_path)
    assert codes(found(project)) == ["folder-empty"]
    draw(project.dataset / "x.gif")
    assert codes(found(project)) == ["folder-empty", "unknown-ending"]


def test_no_project(project: ProjectPaths) -> None:
    """A dataset folder that does not exist is said, with where it would be."""
    assert only(found(project), "folder-missing").where == str(project.dataset)
