"""Files appear whole or not at all."""

import hashlib
import os
from pathlib import Path

import pytest

from kohya_wrap.errors import DiskFullError, OutputError
from kohya_wrap.files import copy_whole, give_name, output_error, sha256_file, write_whole


def test_text_is_written_as_utf8(tmp_path: Path) -> None:
    """Japanese and line ends arrive as they are, and nothing else lies beside the file."""
    target = tmp_path / "a.toml"
    write_whole(target, "名前 = 1\r\n")
    assert target.read_bytes() == "名前 = 1\r\n".encode()
    assert list(tmp_path.iterdir()) == [target]


def test_an_existing_file_is_replaced_whole(tmp_path: Path) -> None:
    """The old content is there until the new one is complete: the file is another inode."""
    target = tmp_path / "a"
    write_whole(target, "old")
    before = target.stat().st_ino
    write_whole(target, "new")
    assert target.read_text() == "new"
    assert target.stat().st_ino != before


def test_a_missing_folder_is_an_output_error(tmp_path: Path) -> None:
    """The message names the file and what to check."""
    with pytest.raises(OutputError, match="cannot be written") as caught:
        write_whole(tmp_path / "none" / "a", "x")
    assert str(tmp_path / "none" / "a") in str(caught.value)


def test_a_full_disk_has_its_own_class() -> None:
    """A real write to the full device gives DiskFullError."""
    try:
        with Path("/dev/full").open("w") as file:
            file.write("x")
    except OSError as error:
        assert isinstance(output_error(error, Path("a")), DiskFullError)
    else:
        pytest.skip("this machine has no /dev/full")


def test_a_copy_keeps_content_and_time(tmp_path: Path) -> None:
    """A copy is the same file to anyone who looks at bytes and times."""
    source = tmp_path / "a"
    source.write_bytes(b"12345")
    os.utime(source, (1_000_000_000, 1_000_000_000))
    copy_whole(source, tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"12345"
    assert (tmp_path / "b").stat().st_mtime == 1_000_000_000


def test_a_failed_copy_leaves_nothing(tmp_path: Path) -> None:
    """A source that is not there leaves no part behind."""
    with pytest.raises(OutputError):
        copy_whole(tmp_path / "none", tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_the_hash_covers_more_than_one_piece(tmp_path: Path) -> None:
    """A file larger than the piece that is read at once hashes like its bytes."""
    content = bytes(range(256)) * 10_000
    (tmp_path / "a").write_bytes(content)
    assert sha256_file(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_a_written_file_may_be_read_by_whom_it_may_elsewhere(tmp_path: Path) -> None:
    """Its permissions are those that any program's files get."""
    write_whole(tmp_path / "a", "x")
    (tmp_path / "b").write_text("x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_name_that_is_taken_stays(tmp_path: Path) -> None:
    """A file gets its name once; another one that has it keeps it, and nothing is lost."""
    for name in ("first", "second"):
        (tmp_path / name).write_text(name)
    give_name(tmp_path / "first", tmp_path / "name")
    assert not (tmp_path / "first").exists()
    with pytest.raises(FileExistsError):
        give_name(tmp_path / "second", tmp_path / "name")
    assert (tmp_path / "name").read_text() == "first"
    assert (tmp_path / "second").read_text() == "second"


def test_a_copy_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss of power leaves the whole copy or none: its bytes are synced under the temporary name."""
    (tmp_path / "a").write_bytes(b"12345")
    seen: list[bool] = []
    monkeypatch.setattr("os.fsync", lambda opened: seen.append((tmp_path / "b").exists()))
    copy_whole(tmp_path / "a", tmp_path / "b")
    assert seen == [False]
