"""A new project's folders, in both layouts, and the names that cannot be."""

import os
from pathlib import Path

import pytest

from kohya_wrap.dataset.history import place_of
from kohya_wrap.dataset.verbs.new import new
from kohya_wrap.errors import DatasetError, OutputError


def folders(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def test_by_project(tmp_path: Path) -> None:
    """Loras/NAME with its dataset and output folders, as the trainer looks for them."""
    project = new("tiger", root=tmp_path)
    assert project.dataset == tmp_path / "Loras/tiger/dataset"
    assert folders(tmp_path) == {"Loras", "Loras/tiger", "Loras/tiger/dataset", "Loras/tiger/output"}


def test_by_category(tmp_path: Path) -> None:
    """lora_training/datasets/NAME and its sisters."""
    project = new("tiger", root=tmp_path, structure="category")
    assert project.dataset == tmp_path / "lora_training/datasets/tiger"
    assert {f"lora_training/{kind}/tiger" for kind in ("config", "datasets", "output")} <= folders(tmp_path)


@pytest.mark.parametrize("structure", ["project", "category"])
def test_a_sub_folder_is_the_place_that_other_verbs_find(tmp_path: Path, structure: str) -> None:
    """NAME/SUB means the same folder to `new` as to every verb after it."""
    project = new("tiger/face", root=tmp_path, structure=structure)  # type: ignore[arg-type]  # one of its two words
    assert project.dataset.is_dir()
    assert place_of("tiger/face", root=tmp_path).folder == project.dataset


@pytest.mark.parametrize(
    "name", ["", "a b", "a.b", "..", "../a", "a/b/c", "a/", "/a", "a(1)", "a'b", 'a"b', "a\\b", "a\nb", "--root"]
)
def test_a_name_that_cannot_be(tmp_path: Path, name: str) -> None:
    """The notebook's rule for names, before anything is made."""
    with pytest.raises(DatasetError):
        new(name, root=tmp_path)
    assert folders(tmp_path) == set()


def test_twice_changes_nothing(tmp_path: Path) -> None:
    """A project that is there is left as it is."""
    new("tiger", root=tmp_path).dataset.joinpath("a.png").write_bytes(b"x")
    again = new("tiger", root=tmp_path)
    assert again.made == ()
    assert (again.dataset / "a.png").read_bytes() == b"x"


def test_a_project_has_one_layout(tmp_path: Path) -> None:
    """Made by category, it is not made by project as well: verbs would find only one of the two."""
    new("tiger", root=tmp_path, structure="category")
    with pytest.raises(DatasetError, match="by category already"):
        new("tiger", root=tmp_path)


def test_dry_run_makes_nothing(tmp_path: Path) -> None:
    """What would be made is named, and is not there."""
    project = new("tiger/face", root=tmp_path, dry_run=True)
    assert project.dataset in project.made
    assert folders(tmp_path) == set()


def test_a_file_in_the_way(tmp_path: Path) -> None:
    """Where a file has the folder's name, that file is named."""
    (tmp_path / "Loras").write_text("mine")
    with pytest.raises(OutputError, match="Loras"):
        new("tiger", root=tmp_path)
    assert (tmp_path / "Loras").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_without_permission(tmp_path: Path) -> None:
    """A folder that cannot be written is an error that names it."""
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(OutputError, match="Loras"):
            new("tiger", root=tmp_path)
    finally:
        tmp_path.chmod(0o755)
