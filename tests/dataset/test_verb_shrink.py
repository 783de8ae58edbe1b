"""shrink: a smaller copy, as the notebook made it; the dataset itself is never touched."""

import hashlib
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kohya_wrap.dataset.history import DatasetPlace, open_step, place_of, undo
from kohya_wrap.dataset.verbs.shrink import ShrinkOptions, shrink
from kohya_wrap.errors import DatasetError, ProjectBusyError


@pytest.fixture
def place(tmp_path: Path) -> DatasetPlace:
    """An empty project."""
    (tmp_path / "Loras/p/dataset").mkdir(parents=True)
    return place_of("p", root=tmp_path)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "small"


def grain(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """Draw noise, which no format makes small."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def soft(size: tuple[int, int] = (400, 300), seed: int = 0) -> Image.Image:
    return grain((6, 6), seed).resize(size, Image.Resampling.BICUBIC)


def size_of(path: Path) -> tuple[str | None, tuple[int, int]]:
    with Image.open(path) as image:
        image.load()
        return image.format, image.size


def state(folder: Path) -> dict[str, tuple[str, int]]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in files
    }


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_png_becomes_jpeg_with_its_caption(place: DatasetPlace, target: Path) -> None:
    """The notebook's conversion, into a copy: quality 95, .jpeg; the dataset keeps every byte and time."""
    grain((300, 200)).save(place.folder / "a.png")
    (place.folder / "a.txt").write_text("tiger")
    (place.folder / "a_0300x0200_sd.npz").write_bytes(b"latents of the old size")
    before = state(place.folder)
    done = shrink(place, target)
    assert names(target) == ["a.jpeg", "a.txt"]
    assert size_of(target / "a.jpeg") == ("JPEG", (300, 200))
    assert done.after == (target / "a.jpeg").stat().st_size < done.before
    assert state(place.folder) == before


def test_large_files_are_halved(place: DatasetPlace, target: Path) -> None:
    """Above 2,000,000 bytes width and height are halved, once, also of a JPEG that was made of a PNG."""
    grain((2000, 1401)).save(place.folder / "a.png")
    grain((2000, 1401)).save(place.folder / "b.jpg", quality=95)
    assert (place.folder / "b.jpg").stat().st_size > 2_000_000
    shrink(place, target)
    assert size_of(target / "a.jpeg") == size_of(target / "b.jpeg") == ("JPEG", (1000, 700))


def test_a_small_jpeg_is_copied_byte_by_byte(place: DatasetPlace, target: Path) -> None:
    """No second loss of quality; only the name becomes .jpeg, as in the notebook."""
    soft().save(place.folder / "a.jpg", quality=80)
    done = shrink(place, target)
    assert (target / "a.jpeg").read_bytes() == (place.folder / "a.jpg").read_bytes()
    assert (done.made, done.copied) == (0, 1)


def test_what_would_grow_is_copied(place: DatasetPlace, target: Path) -> None:
    """A drawing of few colours is smaller as PNG than as JPEG, and stays one."""
    Image.new("P", (400, 300)).save(place.folder / "a.png")
    shrink(place, target)
    assert (target / "a.png").read_bytes() == (place.folder / "a.png").read_bytes()


def test_max_side(place: DatasetPlace, target: Path) -> None:
    """The longest side is brought down; a smaller picture is not enlarged."""
    grain((800, 400)).save(place.folder / "wide.png")
    grain((100, 50)).save(place.folder / "small.png")
    shrink(place, target, ShrinkOptions(max_side=512))
    assert size_of(target / "wide.jpeg")[1] == (512, 256)
    assert size_of(target / "small.jpeg")[1] == (100, 50)


@pytest.mark.parametrize(("picture_format", "kind"), [("webp", "WEBP"), ("png", "PNG"), ("jpeg", "JPEG")])
def test_formats(place: DatasetPlace, target: Path, picture_format: str, kind: str) -> None:
    """Every offered format is what the files then are."""
    soft((600, 400)).save(place.folder / "a.bmp")
    shrink(place, target, ShrinkOptions(format=picture_format))  # type: ignore[arg-type]  # one of its three words
    assert size_of(target / f"a.{picture_format}")[0] == kind


def test_as_it_is_seen(place: DatasetPlace, target: Path) -> None:
    """EXIF rotation is carried out, for it would be lost; transparency becomes the background, 16 bits 8."""
    exif = Image.Exif()
    exif[0x0112] = 6
    grain((300, 200)).save(place.folder / "turned.jpg", exif=exif, quality=100)
    clear = grain((200, 200)).convert("RGBA")
    clear.putalpha(0)
    clear.save(place.folder / "clear.png")
    Image.fromarray(np.random.default_rng(0).integers(30_000, 36_000, (200, 200), dtype=np.uint16)).save(
        place.folder / "deep.png"
    )
    shrink(place, target, ShrinkOptions(max_side=150, background="#0000ff"))
    assert size_of(target / "turned.jpeg")[1] == (100, 150)
    with Image.open(target / "clear.jpeg") as image:
        blue = image.getpixel((50, 50))
        assert isinstance(blue, tuple)
        assert blue[2] > 250
        assert blue[0] < 5
    with Image.open(target / "deep.jpeg") as image:
        assert 110 < np.asarray(image.convert("L")).mean() < 145


def test_names_that_would_clash(place: DatasetPlace, target: Path) -> None:
    """a.png and a.jpg both become a.jpeg: each copy has its own name, and the caption they share."""
    grain((100, 100)).save(place.folder / "a.png")
    soft().save(place.folder / "a.jpg")
    (place.folder / "a.txt").write_text("tiger")
    shrink(place, target)
    assert names(target) == ["a-2.jpeg", "a-2.txt", "a.jpeg", "a.txt"]
    assert (target / "a-2.txt").read_text() == "tiger"


def test_sub_folders_when_asked(place: DatasetPlace, target: Path) -> None:
    """Their shape is kept."""
    (place.folder / "sub").mkdir()
    grain((90, 90)).save(place.folder / "sub/a.png")
    (place.folder / "sub/a.txt").write_text("x")
    shrink(place, target, ShrinkOptions(recursive=True))
    assert names(target) == ["sub/a.jpeg", "sub/a.txt"]


def test_what_cannot_be_read_is_copied_and_named(place: DatasetPlace, target: Path) -> None:
    """Cut short, text, or with 2.5 billion pixels: nothing is lost from the copy, and nothing decoded."""
    grain((300, 300)).save(place.folder / "cut.png")
    (place.folder / "cut.png").write_bytes((place.folder / "cut.png").read_bytes()[:5000])
    (place.folder / "text.png").write_text("text")
    header = (50_000).to_bytes(4, "big") * 2 + bytes((1, 0, 0, 0, 0))
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100_000))), (b"IEND", b""))
    parts = [len(d).to_bytes(4, "big") + k + d + zlib.crc32(k + d).to_bytes(4, "big") for k, d in chunks]
    (place.folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    done = shrink(place, target)
    assert [path.name for path in done.unreadable] == ["bomb.png", "cut.png", "text.png"]
    assert {name: digest for name, (digest, _) in state(target).items()} == {
        name: digest for name, (digest, _) in state(place.folder).items()
    }


def test_an_animation_becomes_its_first_frame(place: DatasetPlace, target: Path) -> None:
    """That is all the engine trains."""
    grain((200, 200), 1).save(
        place.folder / "a.webp", save_all=True, append_images=[grain((200, 200), 2)], lossless=True
    )
    shrink(place, target)
    with Image.open(target / "a.jpeg") as image:
        assert np.abs(np.asarray(image, int) - np.asarray(grain((200, 200), 1), int)).mean() < 60  # 85 from other noise


@pytest.mark.parametrize("where", ["Loras/p/dataset/small", "Loras/p/dataset", "Loras", "full", "file"])
def test_a_target_that_cannot_be(place: DatasetPlace, tmp_path: Path, where: str) -> None:
    """Inside of the dataset, around it, or where something is already."""
    grain((90, 90)).save(place.folder / "a.png")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = state(tmp_path)
    with pytest.raises(DatasetError):
        shrink(place, tmp_path / where)
    assert state(tmp_path) == before


@pytest.mark.parametrize(
    "options",
    [ShrinkOptions(quality=0), ShrinkOptions(quality=101), ShrinkOptions(max_side=-1), ShrinkOptions(background="?")],
)
def test_options_that_cannot_be(place: DatasetPlace, target: Path, options: ShrinkOptions) -> None:
    """An error before anything is written."""
    with pytest.raises(DatasetError):
        shrink(place, target, options)
    assert not target.exists()


def test_dry_run_and_undo(place: DatasetPlace, target: Path) -> None:
    """A dry run works out the sizes and writes nothing; undo takes the copy away again."""
    grain((300, 200)).save(place.folder / "a.png")
    planned = shrink(place, target, dry_run=True)
    assert not target.exists()
    done = shrink(place, target)
    assert (planned.before, planned.after) == (done.before, done.after)
    undo(place)
    assert names(target) == []


def test_two_at_once(place: DatasetPlace, target: Path) -> None:
    """Refused while another step changes what would be copied."""
    grain((90, 90)).save(place.folder / "a.png")
    with open_step(place, "curate", {}), pytest.raises(ProjectBusyError):
        shrink(place, target)
    assert not target.exists()


def test_ctrl_c_in_the_middle(place: DatasetPlace, target: Path) -> None:
    """What has been copied by then is whole, and undo takes it away; the dataset is as it was."""
    for at in range(12):
        grain((120, 120), at).save(place.folder / f"{at:02}.png")
    before = state(place.folder)

    def interrupt(label: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shrink(place, target, report=interrupt)
    assert names(target) == [f"{at:02}.jpeg" for at in range(5)]
    assert {size_of(path) for path in target.iterdir()} == {("JPEG", (120, 120))}
    undo(place)
    assert (names(target), state(place.folder)) == ([], before)
    assert shrink(place, target).made == 12
