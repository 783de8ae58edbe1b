"""Archives: what is unpacked, and everything that is refused."""

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from kohya_wrap.dataset.archives import Limits, is_archive, unpack
from kohya_wrap.errors import DatasetError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder inside another one, so that what climbs out would be seen."""
    path = tmp_path / "in/side"
    path.mkdir(parents=True)
    return path


def zip_of(path: Path, *entries: tuple[str, bytes], kind: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = kind << 16
            file.writestr(entry, content)
    return path


def tar_of(path: Path, name: str, content: bytes = b"x", *, kind: bytes = tarfile.REGTYPE, link: str = "") -> Path:
    with tarfile.open(path, "w:gz") as file:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, link
        entry.size = len(content) if kind == tarfile.REGTYPE else 0
        file.addfile(entry, io.BytesIO(content))
    return path


def test_a_zip(tmp_path: Path, folder: Path) -> None:
    """Files with their names and contents; folders are nothing by themselves; Windows' separators are understood."""
    archive = zip_of(tmp_path / "a.zip", ("d/", b""), ("d/a.png", b"A"), ("d\\b.txt", b"B"))
    found = unpack(archive, folder)
    assert [(str(one.name), one.path.read_bytes()) for one in found] == [("d/a.png", b"A"), ("d/b.txt", b"B")]
    assert all(one.path.parent == folder for one in found)


def test_a_tar(tmp_path: Path, folder: Path) -> None:
    """Compressed ones too."""
    (found,) = unpack(tar_of(tmp_path / "a.tar.gz", "d/a.png", b"A"), folder)
    assert (str(found.name), found.path.read_bytes()) == ("d/a.png", b"A")


BAD = ["../up.png", "d/../../up.png", "/etc/up.png", "//host/up.png", "C:\\up.png", "C:/up.png", "..\\up.png", ".."]


@pytest.mark.parametrize("name", BAD)
def test_names_that_climb_out_of_a_zip(tmp_path: Path, folder: Path, name: str) -> None:
    """The archive is refused before a file of it is written."""
    with pytest.raises(DatasetError, match="outside"):
        unpack(zip_of(tmp_path / "a.zip", ("good.png", b"x"), (name, b"x")), folder)
    assert [path.name for path in tmp_path.rglob("*.png")] == []


@pytest.mark.parametrize("name", ["../up.png", "/etc/up.png", "C:/up.png"])
def test_names_that_climb_out_of_a_tar(tmp_path: Path, folder: Path, name: str) -> None:
    """Refused as well."""
    with pytest.raises(DatasetError, match="outside"):
        unpack(tar_of(tmp_path / "a.tar.gz", name), folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar(tmp_path: Path, folder: Path, kind: bytes) -> None:
    """Refused, wherever they lead."""
    with pytest.raises(DatasetError, match="link or a device"):
        unpack(tar_of(tmp_path / "a.tar.gz", "a.png", kind=kind, link="/etc/passwd"), folder)
    assert list(folder.iterdir()) == []


def test_links_in_a_zip(tmp_path: Path, folder: Path) -> None:
    """Refused."""
    with pytest.raises(DatasetError, match="link or a device"):
        unpack(zip_of(tmp_path / "a.zip", ("a.png", b"/etc/passwd"), kind=stat.S_IFLNK | 0o777), folder)


def test_too_many_files(tmp_path: Path, folder: Path) -> None:
    """Refused at the first one too many."""
    archive = zip_of(tmp_path / "a.zip", *((f"{at}.txt", b"x") for at in range(11)))
    with pytest.raises(DatasetError, match="more than 10 files"):
        unpack(archive, folder, Limits(files=10))


def test_too_large(tmp_path: Path, folder: Path) -> None:
    """Counted while unpacking; no more than the limit and a piece is written."""
    archive = zip_of(tmp_path / "a.zip", *((f"{at}.txt", bytes(1 << 20)) for at in range(20)))
    with pytest.raises(DatasetError, match="more than 3 MiB"):
        unpack(archive, folder, Limits(size=3 << 20))
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 4 << 20


@pytest.mark.parametrize("ending", ["zip", "tar.gz"])
def test_a_bomb(tmp_path: Path, folder: Path, ending: str) -> None:
    """200 MB of nothing in 200 KB: refused by the ratio, beyond what is free of it."""
    path = tmp_path / f"a.{ending}"
    zeros = bytes(200_000_000)
    archive = zip_of(path, ("a.png", zeros)) if ending == "zip" else tar_of(path, "a.png", zeros)
    with pytest.raises(DatasetError, match="100 times its own size"):
        unpack(archive, folder)


def test_a_size_that_is_a_lie(tmp_path: Path, folder: Path) -> None:
    """A ZIP that says 5 bytes and holds 5 MB: what comes out is counted or refused, never trusted."""
    archive = zip_of(tmp_path / "a.zip", ("a.png", bytes(5_000_000)))
    data = archive.read_bytes().replace((5_000_000).to_bytes(4, "little"), (5).to_bytes(4, "little"))
    archive.write_bytes(data)
    with pytest.raises(DatasetError):
        unpack(archive, folder)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 5


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04 and then nothing", b"\x1f\x8b\x08 no gzip"])
def test_no_archive_at_all(tmp_path: Path, folder: Path, content: bytes) -> None:
    """An error that names the file."""
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DatasetError, match=r"a\.zip"):
        unpack(tmp_path / "a.zip", folder)


def test_cut_short(tmp_path: Path, folder: Path) -> None:
    """Half a tar file is refused."""
    archive = tar_of(tmp_path / "a.tar.gz", "a.png", bytes(range(256)) * 4000)
    archive.write_bytes(archive.read_bytes()[:-2000])
    with pytest.raises(DatasetError, match="no archive"):
        unpack(archive, folder)


def test_what_is_an_archive(tmp_path: Path) -> None:
    """By ending, or a ZIP by its first bytes; a picture with a ZIP behind it is a picture."""
    archive = zip_of(tmp_path / "download", ("a.png", b"x"))
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG" + archive.read_bytes())
    assert is_archive(archive)
    assert not is_archive(picture)
