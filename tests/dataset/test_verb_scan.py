"""scan: counts, sizes, buckets, findings, the mean picture and the sheet, on real files."""

import os
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kohya_wrap.config import TrainConfig
from kohya_wrap.dataset.history import DatasetPlace, place_of
from kohya_wrap.dataset.verbs.scan import FolderCount, scan
from kohya_wrap.dataset.verbs.scan_sheet import MEAN_SIDE, mean_picture, scan_sheet
from kohya_wrap.dataset.verbs.sheet import RED, Cell, draw_sheet, save_png
from kohya_wrap.errors import DatasetError, OutputError


@pytest.fixture
def place(tmp_path: Path) -> DatasetPlace:
    """An empty project."""
    (tmp_path / "Loras/p/dataset").mkdir(parents=True)
    return place_of("p", root=tmp_path)


def config(**processing: object) -> TrainConfig:
    return TrainConfig.model_validate({"setup": {"project_name": "p"}, "processing": {"resolution": 512, **processing}})


def save(place: DatasetPlace, name: str, size: tuple[int, int] = (600, 600), colour: str = "red") -> Path:
    path = place.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    path.with_suffix(".txt").write_text("tiger, 1boy")
    return path


def codes(place: DatasetPlace, **processing: object) -> set[str]:
    return {problem.code for problem in scan(place, config(**processing)).findings}


def test_counts_of_all_folders(place: DatasetPlace) -> None:
    """The notebook's count: pictures, captions and other files of the folder and each below it; hidden ones not."""
    save(place, "a.png")
    save(place, "sub/b.png")
    (place.folder / "sub/c.gif").write_bytes(b"GIF89a")
    (place.folder / "sub/.hidden").mkdir()
    (place.folder / "sub/.hidden/x.png").write_bytes(b"x")
    (place.folder / "a.npz").write_bytes(b"x")
    assert sorted(scan(place, config()).counts, key=lambda each: each.folder) == [
        FolderCount(place.folder, pictures=1, captions=1, others=1),
        FolderCount(place.folder / "sub", pictures=1, captions=1, others=1),
    ]


def test_buckets_and_upscaling(place: DatasetPlace) -> None:
    """Each picture is in the bucket it will be trained in; those with too few pixels are named."""
    wide, tall = save(place, "wide.png", (960, 640)), save(place, "tall.jpg", (640, 960))
    small = save(place, "small.png", (300, 300))
    scanned = scan(place, config())
    assert scanned.buckets == {(384, 640): [tall], (512, 512): [small], (640, 384): [wide]}
    assert scanned.upscaled == (small,)
    assert scanned.shapes == {"portrait": 1, "landscape": 1, "square": 1}
    assert scanned.findings[0].code == "upscaled"


def test_the_resolution_decides(place: DatasetPlace) -> None:
    """At a higher resolution other buckets, and more upscaling."""
    path = save(place, "a.png", (960, 640))
    scanned = scan(place, config(resolution=1024))
    assert scanned.upscaled == (path,)
    assert list(scanned.buckets) == [(1216, 832)]


def test_every_kind_of_bad_picture_is_found(place: DatasetPlace) -> None:
    """Cut short, text, no bytes, 2.5 billion pixels, animated, transparent, CMYK, 16 bits, lying: all at once."""
    good = save(place, "good.png")
    data = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    noise = Image.fromarray(data)
    noise.save(place.folder / "cut.png")
    (place.folder / "cut.png").write_bytes((place.folder / "cut.png").read_bytes()[:9000])
    (place.folder / "text.png").write_text("text")
    (place.folder / "empty.png").write_bytes(b"")
    header = (50_000).to_bytes(4, "big") * 2 + bytes((1, 0, 0, 0, 0))
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1_000_000))), (b"IEND", b""))
    parts = [len(d).to_bytes(4, "big") + k + d + zlib.crc32(k + d).to_bytes(4, "big") for k, d in chunks]
    (place.folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    noise.save(place.folder / "moving.webp", save_all=True, append_images=[Image.new("RGB", (600, 600))])
    clear = noise.convert("RGBA")
    clear.putalpha(9)
    clear.save(place.folder / "clear.png")
    noise.convert("CMYK").save(place.folder / "cmyk.jpg")
    Image.fromarray(data[..., 0].astype(np.uint16) * 257).save(place.folder / "deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    noise.save(place.folder / "lying.jpg", exif=exif)
    good.with_name("good.jpg").write_bytes((place.folder / "lying.jpg").read_bytes())
    began = time.monotonic()
    found = codes(place)
    assert time.monotonic() - began < 10
    assert found >= {
        "truncated", "not-a-picture", "zero-bytes", "too-many-pixels", "animated", "transparency", "cmyk",
        "grey-16-bit", "exif-rotation", "same-stem", "caption-missing",
    }  # fmt: skip


def test_captions_are_looked_at(place: DatasetPlace) -> None:
    """Empty, not UTF-8, too long, orphaned: the findings of a run."""
    for name, content in (("a", b""), ("b", b"\xff\xfe\xfa"), ("c", b"tag, " * 400), ("d", b"fine")):
        save(place, f"{name}.png")
        (place.folder / f"{name}.txt").write_bytes(content)
    (place.folder / "orphan.txt").write_text("x")
    assert codes(place) >= {"caption-empty", "caption-not-utf8", "caption-long", "caption-orphan"}


def test_sub_folders_are_trained_when_asked(place: DatasetPlace) -> None:
    """Without it the engine would not see them, and that is a finding."""
    save(place, "a.png")
    inner = save(place, "sub/b.png")
    assert "sub-folder" in codes(place)
    assert inner not in scan(place, config()).sizes
    scanned = scan(place, config(), recursive=True)
    assert inner in scanned.sizes
    assert scanned.findings == ()


def test_quick_decodes_nothing(place: DatasetPlace) -> None:
    """Headers say the sizes; what is cut short later on is not noticed."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8))
    noise.save(place.folder / "cut.png")
    (place.folder / "cut.png").write_bytes((place.folder / "cut.png").read_bytes()[:9000])
    scanned = scan(place, config(), quick=True)
    assert (list(scanned.sizes.values()), scanned.findings) == ([(600, 600)], ())


def test_nothing_is_touched(place: DatasetPlace) -> None:
    """Not a file, not a time, no history."""
    save(place, "a.png")
    before = [(path.name, path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(place.folder.iterdir())]
    scan(place, config())
    after = [(path.name, path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(place.folder.iterdir())]
    assert (after, place.history.exists()) == (before, False)


def test_an_empty_folder_and_none(place: DatasetPlace, tmp_path: Path) -> None:
    """Empty is a finding; missing is an error with the folder's name."""
    assert codes(place) == {"folder-empty"}
    with pytest.raises(DatasetError, match="nowhere"):
        scan(place_of("./nowhere", root=tmp_path), config())


@pytest.mark.parametrize("name", ['a "quoted" name', "back\\slash", "tab\tin it", "ünï 画像", "[[datasets]]", "#1"])
def test_names_of_folders(tmp_path: Path, name: str) -> None:
    """Whatever a folder is called, its pictures are looked at."""
    (tmp_path / name).mkdir()
    place = DatasetPlace(tmp_path / name, tmp_path / "history")
    save(place, "a.png")
    assert scan(place, config()).findings == ()


def test_a_link_to_itself(place: DatasetPlace) -> None:
    """Folders that lead round in a circle are not followed."""
    save(place, "a.png")
    (place.folder / "again").symlink_to(place.folder)
    assert len(scan(place, config(), recursive=True).sizes) == 1


def test_progress_is_told(place: DatasetPlace) -> None:
    """Headers first, then pictures, up to all of them."""
    for at in range(5):
        save(place, f"{at}.png")
    told: list[tuple[str, int, int]] = []
    scan(place, config(), report=lambda *each: told.append(each))
    assert [label for label, done, total in told if done == total] == ["reading headers", "looking at pictures"]


def test_mean_picture(place: DatasetPlace) -> None:
    """The mean of every pixel, whatever the sizes; what cannot be read does not count."""
    save(place, "a.png", (300, 500), "#ff0000")
    save(place, "b.png", (700, 200), "#0000ff")
    (place.folder / "text.png").write_text("text")
    mean = mean_picture(place.pictures())
    assert mean
    assert mean.size == (MEAN_SIDE, MEAN_SIDE)
    assert mean.getpixel((100, 100)) == (128, 0, 128)
    assert mean_picture([place.folder / "text.png"]) is None


def test_the_sheet_shows_what_is_wrong_first(place: DatasetPlace) -> None:
    """Errors are framed in red; the sheet is a PNG as large as its cells."""
    save(place, "a.png")
    (place.folder / "text.png").write_text("text")
    scanned = scan(place, config())
    sheet = scan_sheet(scanned, mean=mean_picture(place.pictures()))
    save_png(sheet, place.folder.parent / "sheet.png")
    with Image.open(place.folder.parent / "sheet.png") as image:
        image.load()
        colours = {colour for _, colour in image.getcolors(1 << 24) or []}
    assert {(0xD1, 0x3B, 0x3B), (255, 0, 0)} <= colours


def test_the_sheet_marks_pictures_without_a_caption(place: DatasetPlace) -> None:
    """The finding is one for the folder, and an error: the picture is in its red frame."""
    save(place, "a.png")
    save(place, "b.png").with_suffix(".txt").unlink()
    sheet = scan_sheet(scan(place, config()))
    colours = {colour for _, colour in sheet.getcolors(1 << 24) or []}
    assert (0xD1, 0x3B, 0x3B) in colours


def test_a_sheet_of_many_stays_small(place: DatasetPlace) -> None:
    """Of 1,000 pictures 320 are drawn, from all over the dataset, and the sheet says so."""
    first = save(place, "0000.png", (64, 64))
    for at in range(1, 1000):
        os.link(first, place.folder / f"{at:04}.png")
    sheet = scan_sheet(scan(place, config(resolution=64), quick=True))
    assert sheet.height < 320 / 8 * 260 + 300


@pytest.mark.parametrize("name", ["x" * 300, "名前" * 40, "\n\x1b[31m", ""])
def test_any_name_can_be_drawn(name: str) -> None:
    """Long, foreign or hostile names are shortened, never an error."""
    assert draw_sheet(name[:80], "", [[Cell(None, (name, name), RED, name)]]).width > 200


def test_a_sheet_that_cannot_be_written(tmp_path: Path) -> None:
    """An error with the path; no half file stays."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=r"sheet\.png"):
        save_png(Image.new("RGB", (9, 9)), tmp_path / "file/sheet.png")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
