"""clean: what goes, what stays, and that it comes back."""

from pathlib import Path

import pytest
from PIL import Image

from kohya_wrap.dataset.history import DatasetPlace, open_step, place_of, undo
from kohya_wrap.dataset.verbs.clean import CleanOptions, clean
from kohya_wrap.errors import DatasetError, ProjectBusyError


@pytest.fixture
def place(tmp_path: Path) -> DatasetPlace:
    """A project with a picture, its caption, and all sorts of other things."""
    folder = tmp_path / "Loras/p/dataset"
    (folder / "sub").mkdir(parents=True)
    Image.new("RGB", (80, 80), "red").save(folder / "a.png")
    for name in ("a.txt", "a.caption", "a.npz", "b.gif", "c.Png", "d.jpg.part", "notes.md", "desktop.ini", ".hidden"):
        (folder / name).write_text(name)
    (folder / "sub/Thumbs.db").write_text("x")
    (folder / "text.png").write_text("I am text")
    (folder / "text.txt").write_text("its caption")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:60])
    return place_of("p", root=tmp_path)


def names(place: DatasetPlace) -> set[str]:
    return {str(path.relative_to(place.folder)) for path in place.folder.rglob("*") if path.is_file()}


def test_only_other_files_go(place: DatasetPlace) -> None:
    """Pictures, captions, latents, pictures of other kinds, and hidden files stay."""
    before = names(place)
    done = clean(place)
    assert before - names(place) == {"d.jpg.part", "notes.md", "desktop.ini"}
    assert {path.name for path in done.unseen} == {"b.gif", "c.Png"}
    undo(place)
    assert names(place) == before


def test_sub_folders_when_asked(place: DatasetPlace) -> None:
    """As the notebook's `find` did; not through links that lead out."""
    elsewhere = place.folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.md").write_text("mine")
    (place.folder / "link").symlink_to(elsewhere)
    clean(place, CleanOptions(recursive=True))
    assert "sub/Thumbs.db" not in names(place)
    assert (elsewhere / "mine.md").is_file()


def test_broken_pictures_when_asked(place: DatasetPlace) -> None:
    """Text, nothing, and half a picture, whatever their names say; their captions go with them."""
    before = names(place)
    done = clean(place, CleanOptions(broken=True))
    assert before - names(place) >= {"text.png", "text.txt", "empty.jpg", "cut.png"}
    assert "a.txt" in names(place)
    assert sorted(problem.code for problem in done.broken) == ["not-a-picture", "truncated", "zero-bytes"]
    undo(place)
    assert names(place) == before


def test_latents_when_asked(place: DatasetPlace) -> None:
    """The engine makes them again."""
    clean(place, CleanOptions(latents=True))
    assert "a.npz" not in names(place)


def test_captions_by_another_ending(place: DatasetPlace) -> None:
    """What is said to be a caption stays."""
    clean(place, CleanOptions(caption_extension="md"))
    assert "notes.md" in names(place)


def test_dry_run(place: DatasetPlace) -> None:
    """Named, and still there."""
    before = names(place)
    done = clean(place, CleanOptions(broken=True), dry_run=True)
    assert len(done.gone) == 7
    assert names(place) == before
    assert not place.history.exists()


def test_two_at_once(place: DatasetPlace) -> None:
    """Refused while another step goes on."""
    before = names(place)
    with open_step(place, "curate", {}), pytest.raises(ProjectBusyError):
        clean(place)
    assert names(place) == before


def test_no_folder(tmp_path: Path) -> None:
    """An error with the folder's name."""
    with pytest.raises(DatasetError, match="nothing-here"):
        clean(place_of("nothing-here", root=tmp_path))
