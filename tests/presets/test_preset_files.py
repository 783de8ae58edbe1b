"""Finding presets by name and path, reading one file, and listing them."""

from pathlib import Path

import pytest
from preset_helpers import NAMED, only_problem, write

from kohya_wrap import presets
from kohya_wrap.errors import PresetError


def test_a_name_is_looked_up_in_order(tmp_path: Path) -> None:
    """The first folder that has the name wins."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        write(folder, "both", NAMED)
    write(second, "late", NAMED)
    assert presets.find_preset("both", dirs=[first, second]) == first / "both.toml"
    assert presets.find_preset("late", dirs=[first, second]) == second / "late.toml"
    assert presets.find_preset("late.toml", dirs=[first, second]) == second / "late.toml"


def test_a_path_names_a_file_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absolute or relative, as text or Path; the answer is absolute."""
    path = write(tmp_path, "my own", NAMED)
    monkeypatch.chdir(tmp_path)
    assert presets.find_preset(path, dirs=[]) == path
    assert presets.find_preset(str(path), dirs=[]) == path
    assert presets.find_preset("./my own.toml", dirs=[]) == path


def test_presets_of_the_current_folder_come_before_the_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """./presets/demo.toml stands in for the demo that comes with kohya_wrap."""
    (tmp_path / "presets").mkdir()
    mine = write(tmp_path / "presets", "demo", NAMED)
    monkeypatch.chdir(tmp_path)
    assert presets.find_preset("demo") == mine
    assert presets.find_preset("one-image").name == "one-image.toml"


def test_an_unknown_name_gets_the_nearest_and_the_list(tmp_path: Path) -> None:
    """A misspelt preset is an error with the name that was meant and all there are."""
    write(tmp_path, "character", NAMED)
    write(tmp_path, "demo", NAMED)
    with pytest.raises(PresetError, match='did you mean "character"') as caught:
        presets.find_preset("charcter", dirs=[tmp_path])
    assert "demo" in caught.value.todo


@pytest.mark.parametrize("name", ["nowhere/x.toml", "nowhere.toml", "", ".", "../up"])
def test_what_is_no_preset_is_one_clear_error(name: str, tmp_path: Path) -> None:
    """A path that is not there, an empty name or a folder never becomes a traceback."""
    with pytest.raises(PresetError):
        presets.load(name, search=[tmp_path])


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """A preset's name ends in .toml."""
    path = tmp_path / "preset.json"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(PresetError, match=r"does not end in \.toml"):
        presets.find_preset(path, dirs=[])


@pytest.mark.parametrize(
    ("line", "what", "todo"),
    [
        ("flip_aug = True", "no TOML", "small letters"),
        ("resolution = ", "no TOML", "key = value"),
        ("caption_extension = txt", "no TOML", "need quotes"),
        ("resolution = 512\nresolution = 768", "no TOML", "keep one of the two"),
        ('caption_extension = "C:\\tmp"x', "no TOML", "single quotes"),
    ],
)
def test_a_syntax_error_names_file_and_line(tmp_path: Path, line: str, what: str, todo: str) -> None:
    """What is no TOML is shown with its place, and with what is usually meant."""
    path = write(tmp_path, "bad", NAMED + "\n[processing]\n" + line + "\n")
    problem = only_problem(path)
    number = 5 + line.count("\n")
    assert problem.where == f"{path}:{number}"
    assert what in problem.what
    assert todo in problem.todo


def test_an_error_at_the_end_names_the_last_line(tmp_path: Path) -> None:
    """A text that is never closed is found at the end of the file."""
    path = write(tmp_path, "bad", '[setup]\nproject_name = "test')
    assert only_problem(path).where == f"{path}:2"


def test_not_utf8_is_said_with_the_line(tmp_path: Path) -> None:
    """A file in another encoding is an error that says how to save it."""
    path = tmp_path / "latin.toml"
    path.write_bytes(NAMED.encode() + "# caf\xe9\n".encode("latin-1"))
    problem = only_problem(path)
    assert problem.where == f"{path}:3"
    assert "0xe9" in problem.what
    assert "UTF-8" in problem.todo


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    """What Windows editors add swallows no key."""
    path = tmp_path / "windows.toml"
    path.write_bytes(
        b"\xef\xbb\xbf" + (NAMED + '\n[extras]\ncustom_dataset = """\na\nb"""\n').replace("\n", "\r\n").encode()
    )
    loaded = presets.load(path)
    assert loaded.config.setup.project_name == "test"
    assert loaded.config.extras.custom_dataset == "a\nb"


def test_a_folder_that_looks_like_a_preset_is_refused(tmp_path: Path) -> None:
    """A folder called x.toml is named as one."""
    (tmp_path / "x.toml").mkdir()
    with pytest.raises(PresetError, match="is a folder"):
        presets.load(tmp_path / "x.toml", search=[])


def test_listing_gives_name_path_and_first_sentence(tmp_path: Path) -> None:
    """The command that a preset opens with is left out of its description; the first folder's name wins."""
    other = tmp_path / "other"
    other.mkdir()
    path = write(tmp_path, "b", "#   make train PRESET=b\n#\n# One thing. And more.\n\n" + NAMED)
    write(tmp_path, "a", "# Over two\n# lines.\n" + NAMED)
    write(tmp_path, "c", NAMED)
    write(other, "b", "# Another.\n" + NAMED)
    listed = presets.list_presets([tmp_path, other])
    assert [(entry.name, entry.description) for entry in listed] == [
        ("a", "Over two lines."),
        ("b", "One thing."),
        ("c", ""),
    ]
    assert listed[1].path == path


def test_listing_survives_a_broken_file(tmp_path: Path) -> None:
    """A file that cannot be read is listed as such, and does not hide the others."""
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    write(tmp_path, "good", "# Good.\n" + NAMED)
    assert [entry.description for entry in presets.list_presets([tmp_path])] == ["(cannot be read)", "Good."]


def test_a_root_has_presets_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the current folder go first, those that come with kohya_wrap last; no folder is looked at twice."""
    here, root = tmp_path / "here", tmp_path / "root"
    for folder in (here, root):
        (folder / "presets").mkdir(parents=True)
        (folder / "presets" / "mine.toml").write_text('[setup]\nproject_name = "x"\n')
    (root / "presets" / "theirs.toml").write_text('[setup]\nproject_name = "x"\n')
    monkeypatch.chdir(here)
    dirs = presets.default_dirs(root)
    assert presets.find_preset("mine", dirs=dirs) == here / "presets/mine.toml"
    assert presets.find_preset("theirs", dirs=dirs) == root / "presets/theirs.toml"
    assert presets.find_preset("demo", dirs=dirs).name == "demo.toml"
    assert presets.default_dirs(here) == presets.default_dirs()
