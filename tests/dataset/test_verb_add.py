"""add: pictures from everywhere, and names that clash."""

import zipfile
from pathlib import Path

import pytest
from dataset_helpers import captioned, draw, state_of

from kohya_wrap.dataset.history import DatasetPlace, open_step, place_of, undo
from kohya_wrap.dataset.verbs.add import Added, AddOptions, add
from kohya_wrap.errors import DatasetError, ProjectBusyError
from kohya_wrap.files import sha256_file


@pytest.fixture
def place(tmp_path: Path) -> DatasetPlace:
    """A project without pictures."""
    (tmp_path / "Loras/p/dataset").mkdir(parents=True)
    return place_of("p", root=tmp_path)


def no_network(url: str, sha256: str, target: Path) -> None:
    raise AssertionError(f"{url} {sha256} was asked for")


def run(place: DatasetPlace, *sources: Path | str, dry_run: bool = False, **options: object) -> Added:
    words = [str(source) for source in sources]
    return add(place, words, AddOptions(**options), fetch=no_network, dry_run=dry_run)  # type: ignore[arg-type]


def names(place: DatasetPlace) -> list[str]:
    return sorted(str(path.relative_to(place.folder)) for path in place.folder.rglob("*") if path.is_file())


def zipped(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for entry in sorted(folder.rglob("*")):
            file.write(entry, entry.relative_to(folder.parent))
    return path


def test_a_picture_and_its_caption(place: DatasetPlace, tmp_path: Path) -> None:
    """Both are copied, and the source stays; other files beside it are not wanted."""
    source = captioned(tmp_path / "from/a.png")
    (tmp_path / "from/a.md").write_text("notes")
    before = state_of(tmp_path / "from")
    done = run(place, source)
    assert (done.pictures, done.captions) == (1, 1)
    assert names(place) == ["a.png", "a.txt"]
    assert state_of(tmp_path / "from") == before
    undo(place)
    assert names(place) == []


def test_a_folder(place: DatasetPlace, tmp_path: Path) -> None:
    """Sub-folders too; all into one folder, as the engine reads no others, or kept when asked."""
    captioned(tmp_path / "from/a.png")
    captioned(tmp_path / "from/sub/b.jpg")
    (tmp_path / "from/.DS_Store").write_text("x")
    run(place, tmp_path / "from")
    assert names(place) == ["a.png", "a.txt", "b.jpg", "b.txt"]
    undo(place)
    run(place, tmp_path / "from", keep_folders=True)
    assert names(place) == ["a.png", "a.txt", "sub/b.jpg", "sub/b.txt"]


def test_a_zip(place: DatasetPlace, tmp_path: Path) -> None:
    """The folder that all lies in is not kept; nothing is left of the unpacking."""
    captioned(tmp_path / "from/a.png")
    captioned(tmp_path / "from/sub/b.jpg")
    run(place, zipped(tmp_path / "a.zip", tmp_path / "from"), keep_folders=True)
    assert names(place) == ["a.png", "a.txt", "sub/b.jpg", "sub/b.txt"]
    assert not list(place.history.glob(".add-*"))


def test_a_zip_that_climbs_out(place: DatasetPlace, tmp_path: Path) -> None:
    """Refused, and nothing is changed."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("../../evil.png", draw(tmp_path / "x.png").read_bytes())
    with pytest.raises(DatasetError, match="outside"):
        run(place, tmp_path / "a.zip")
    assert names(place) == []
    assert not list(tmp_path.rglob("evil*"))


def test_the_same_again(place: DatasetPlace, tmp_path: Path) -> None:
    """What is there already is skipped, also under the name that it was given before."""
    captioned(tmp_path / "one/a.png", (90, 90))
    captioned(tmp_path / "two/a.png", (91, 91))
    run(place, tmp_path / "one", tmp_path / "two")
    before = names(place)
    done = run(place, tmp_path / "one", tmp_path / "two")
    assert (done.pictures, len(done.same)) == (0, 2)
    assert names(place) == before == ["a-2.png", "a-2.txt", "a.png", "a.txt"]


def test_other_content_under_a_taken_name(place: DatasetPlace, tmp_path: Path) -> None:
    """It gets a suffix, with its caption; what is there stays. Stems clash: they would share a caption."""
    captioned(place.folder / "a.png", (90, 90), "mine")
    captioned(tmp_path / "from/a.jpg", (91, 91), "other")
    done = run(place, tmp_path / "from/a.jpg")
    assert done.renamed == (("a.jpg", "a-2.jpg"),)
    assert (place.folder / "a.txt").read_text() == "mine"
    assert (place.folder / "a-2.txt").read_text() == "other"


def test_a_caption_for_a_picture_that_has_none(place: DatasetPlace, tmp_path: Path) -> None:
    """Added; one that it has is not replaced."""
    source = captioned(tmp_path / "a.png", caption="from outside")
    draw(place.folder / "a.png")
    run(place, source)
    assert (place.folder / "a.txt").read_text() == "from outside"
    source.with_suffix(".txt").write_text("changed")
    run(place, source)
    assert (place.folder / "a.txt").read_text() == "from outside"


def test_what_is_no_picture(place: DatasetPlace, tmp_path: Path) -> None:
    """Text under a picture's name is left out and named; the rest is added."""
    draw(tmp_path / "from/a.png")
    (tmp_path / "from/b.png").write_text("<html>")
    done = run(place, tmp_path / "from")
    assert [problem.where for problem in done.left_out] == ["b.png"]
    assert names(place) == ["a.png"]


def test_endings_that_the_engine_reads(place: DatasetPlace, tmp_path: Path) -> None:
    """A.Jpg becomes A.jpg, a PNG called .jfif becomes .png; a GIF is left out."""
    draw(tmp_path / "from/A.jpg").rename(tmp_path / "from/A.Jpg")
    draw(tmp_path / "from/b.png").rename(tmp_path / "from/b.jfif")
    draw(tmp_path / "from/c.gif")
    done = run(place, tmp_path / "from")
    assert names(place) == ["A.jpg", "b.png"]
    assert [problem.where for problem in done.left_out] == ["c.gif"]


def test_dry_run(place: DatasetPlace, tmp_path: Path) -> None:
    """The same counts and names, and nothing is written, not even a history."""
    for at in range(3):
        captioned(tmp_path / f"{at}/a.png", (90 + at, 90))
    sources = [tmp_path / str(at) for at in range(3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        told = run(place, *sources, dry_run=True)
    assert names(place) == []
    assert not place.history.exists()
    done = run(place, *sources)
    assert (told.pictures, told.captions, told.renamed) == (done.pictures, done.captions, done.renamed)


def test_an_address(place: DatasetPlace, tmp_path: Path) -> None:
    """Its hash is asked for, a page of GitHub is read as its file, and its name is that of the picture."""
    asked = []

    def fetch(url: str, sha256: str, target: Path) -> None:
        asked.append((url, sha256))
        draw(tmp_path / "x.png").rename(target)

    digest = "ab" * 32
    add(place, [f"https://github.com/u/r/blob/main/d/train%20me.png#sha256={digest}"], fetch=fetch)
    assert asked == [("https://raw.githubusercontent.com/u/r/main/d/train%20me.png", digest)]
    assert names(place) == ["train me.png"]


def test_an_address_without_an_ending(place: DatasetPlace, tmp_path: Path) -> None:
    """The ending is that of the content; a token in the address is not recorded."""

    def fetch(url: str, sha256: str, target: Path) -> None:
        draw(tmp_path / "x.webp").rename(target)

    add(place, ["https://me:pass@host.example/get?id=3&token=hidden"], fetch=fetch)
    assert names(place) == ["get.webp"]
    record = next(place.history.glob("*/step.json")).read_text()
    assert "hidden" not in record
    assert "pass" not in record


def test_hash_of_a_file(place: DatasetPlace, tmp_path: Path) -> None:
    """Right: added. Wrong: refused, with the hash that it has."""
    source = draw(tmp_path / "a.png")
    run(place, source, sha256=sha256_file(source).upper())
    with pytest.raises(DatasetError, match=sha256_file(source)):
        run(place, source, sha256="0" * 64)


def test_wrong_words_are_all_named(place: DatasetPlace, tmp_path: Path) -> None:
    """Before anything is touched."""
    with pytest.raises(DatasetError) as caught:
        run(place, tmp_path / "none.png", "https://x.example/a.png#sha256=12", draw(tmp_path / "a.png"))
    assert len(caught.value.problems) == 2
    assert names(place) == []


def test_no_pictures(place: DatasetPlace, tmp_path: Path) -> None:
    """A folder without any is an error."""
    (tmp_path / "from").mkdir()
    with pytest.raises(DatasetError, match="no pictures"):
        run(place, tmp_path / "from")


def test_two_at_once(place: DatasetPlace, tmp_path: Path) -> None:
    """Refused while another step goes on."""
    with open_step(place, "curate", {}), pytest.raises(ProjectBusyError):
        run(place, draw(tmp_path / "a.png"))
