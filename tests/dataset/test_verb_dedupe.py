"""dedupe on real picture files: what is alike, what is kept, what goes with what goes, and back again."""

import json
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import imagehash
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from kohya_wrap.dataset.history import DatasetPlace, open_step, place_of, read_steps, undo
from kohya_wrap.dataset.verbs.dedupe import DedupeOptions, dedupe, embeddings_of, find_groups
from kohya_wrap.dataset.verbs.dedupe.fingerprints import fingerprint
from kohya_wrap.errors import DatasetError, OutputError, ProjectBusyError

TRAIN = Path(__file__).parents[3] / "shared/data/train.png"
WITH_MIRROR = DedupeOptions(mirror=True)


@pytest.fixture
def place(tmp_path: Path) -> DatasetPlace:
    """An empty project."""
    (tmp_path / "Loras/p/dataset").mkdir(parents=True)
    return place_of("p", root=tmp_path)


def scene(seed: int, size: tuple[int, int] = (400, 300)) -> Image.Image:
    """Draw soft coloured areas: every seed another picture, as different as photographs are."""
    areas = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(areas).resize(size, Image.Resampling.BICUBIC)


def save(place: DatasetPlace, name: str, image: Image.Image, *, age: int = 0, caption: str = "") -> Path:
    """Save a picture that is `age` days old."""
    path = place.folder / name
    path.parent.mkdir(exist_ok=True)
    image.save(path)
    os.utime(path, (2_000_000_000 - age * 86_400,) * 2)
    if caption:
        path.with_suffix(".txt").write_text(caption)
    return path


def names(place: DatasetPlace) -> list[str]:
    return sorted(str(path.relative_to(place.folder)) for path in place.folder.rglob("*") if path.is_file())


def groups_of(place: DatasetPlace, options: DedupeOptions | None = None) -> dict[str, list[str]]:
    groups, _ = find_groups(place.pictures(), options or DedupeOptions())
    return {group.kept.name: [f"{spare.path.name}: {spare}" for spare in group.spares] for group in groups}


def bomb_png(path: Path, side: int = 50_000) -> Path:
    """Write a PNG of a few KB that says it has `side` x `side` pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + bytes((1, 0, 0, 0, 0))
    rows = zlib.compress(bytes(1_000_000), 9)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


def test_copies_byte_by_byte(place: DatasetPlace) -> None:
    """Of equal files the oldest is kept, whatever the names are."""
    new = save(place, "a.png", scene(1))
    old = save(place, "z.png", scene(1), age=5)
    save(place, "other.png", scene(2))
    assert new.read_bytes() == old.read_bytes()
    assert groups_of(place) == {"z.png": ["a.png: exact copy"]}


def test_the_largest_of_near_copies_is_kept(place: DatasetPlace) -> None:
    """Most pixels come first; age only decides between equals."""
    save(place, "small.jpg", scene(1, (200, 150)), age=9)
    save(place, "large.jpg", scene(1, (800, 600)))
    save(place, "other.jpg", scene(2))
    (spare,) = groups_of(place)["large.jpg"]
    assert spare.startswith("small.jpg: ")


def test_the_oldest_of_near_copies_of_one_size_is_kept(place: DatasetPlace) -> None:
    """The original is older than what was made of it."""
    save(place, "a.jpg", scene(1))
    save(place, "b.png", scene(1), age=3)
    assert list(groups_of(place)) == ["b.png"]


def test_copies_of_what_goes_go_with_it(place: DatasetPlace) -> None:
    """An exact copy of a near copy is a spare of the same picture."""
    save(place, "large.png", scene(1, (800, 600)))
    save(place, "small.png", scene(1))
    save(place, "small again.png", scene(1), age=-1)
    assert groups_of(place) == {"large.png": ["small.png: 0 bits apart", "small again.png: 0 bits apart"]}


def test_mirror_images_when_asked(place: DatasetPlace) -> None:
    """A mirror image is another picture, unless it is asked for."""
    save(place, "a.png", scene(1), age=1)
    save(place, "b.png", ImageOps.mirror(scene(1)))
    assert groups_of(place) == {}
    assert groups_of(place, WITH_MIRROR) == {"a.png": ["b.png: mirrored, 0 bits apart"]}


def test_a_symmetrical_picture_is_no_mirror_image(place: DatasetPlace) -> None:
    """What is alike both ways round is called a plain copy, once, and never a copy of itself."""
    half = scene(3, (200, 300))
    whole = Image.new("RGB", (400, 300))
    whole.paste(half, (0, 0))
    whole.paste(ImageOps.mirror(half), (200, 0))
    save(place, "a.png", whole, age=1)
    assert groups_of(place, WITH_MIRROR) == {}
    save(place, "b.bmp", whole)
    assert groups_of(place, WITH_MIRROR) == {"a.png": ["b.bmp: 0 bits apart"]}


def test_a_recoloured_picture_is_no_copy(place: DatasetPlace) -> None:
    """Light and shade are the same, and so is the hash; it is another picture to train on all the same."""
    red, green, blue = scene(1).split()
    a = save(place, "a.png", scene(1))
    b = save(place, "b.png", Image.merge("RGB", (blue, green, red)))
    grey = save(place, "grey.png", scene(1).convert("L"))
    one, two, three = fingerprint(a), fingerprint(b), fingerprint(grey)
    assert one and two and three
    assert (one.hash ^ three.hash).bit_count() <= 6
    assert groups_of(place) == {}


def test_plain_areas_are_told_apart_by_colour(place: DatasetPlace) -> None:
    """The hash of a plain picture is the same for every colour."""
    for colour in ("red", "green", "black", "white"):
        save(place, f"{colour}.png", Image.new("RGB", (300, 300), colour))
    save(place, "white again.jpg", Image.new("RGB", (310, 310), "white"))
    assert groups_of(place) == {"white again.jpg": ["white.png: 0 bits apart"]}


def test_likeness_is_not_handed_on(place: DatasetPlace) -> None:
    """A film in which every frame is like the next one is not one group: each spare is like the one that is kept."""
    first, last = np.asarray(scene(1), float), np.asarray(scene(2), float)
    frames = [
        save(place, f"{at:02}.png", Image.fromarray((first + (last - first) * at / 40).astype(np.uint8)), age=100 - at)
        for at in range(41)
    ]
    hashes = {frame: fingerprint(frame) for frame in frames}
    groups, _ = find_groups(frames, DedupeOptions())
    assert len(groups) > 1
    for group in groups:
        for spare in group.spares:
            one, other = hashes[group.kept], hashes[spare.path]
            assert one and other
            assert (one.hash ^ other.hash).bit_count() == spare.distance <= 6


def test_the_threshold_is_what_it_says(place: DatasetPlace) -> None:
    """0 takes equal hashes only; a crop needs more."""
    save(place, "a.png", scene(1), age=1)
    save(place, "b.png", scene(1).crop((8, 6, 392, 294)))
    one, other = fingerprint(place.folder / "a.png"), fingerprint(place.folder / "b.png")
    assert one and other
    apart = (one.hash ^ other.hash).bit_count()
    assert 0 < apart <= 10
    assert groups_of(place, DedupeOptions(threshold=apart - 1)) == {}
    assert list(groups_of(place, DedupeOptions(threshold=apart))) == ["a.png"]


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_hash_is_image_hashs(place: DatasetPlace, mode: str) -> None:
    """For a picture that needs no shrinking first, the number is phash's own."""
    path = save(place, "a.png", scene(4, (150, 150)).convert(mode))
    found = fingerprint(path)
    with Image.open(path) as image:
        assert found
        assert f"{found.hash:016x}" == str(imagehash.phash(image))


def test_a_large_picture_is_shrunk_without_changing_its_hash(place: DatasetPlace) -> None:
    """Decoding no more than is needed moves the hash by two bits at most, JPEG or PNG."""
    for name in ("a.png", "a.jpg"):
        path = save(place, name, scene(5, (1600, 1200)))
        found = fingerprint(path)
        with Image.open(path) as image:
            assert found
            assert (found.hash ^ int(str(imagehash.phash(image)), 16)).bit_count() <= 2


def test_a_picture_is_seen_as_a_viewer_shows_it(place: DatasetPlace) -> None:
    """Turned by EXIF, transparent, with a palette, or with 16 bits of grey: the same picture to the eye."""
    plain = save(place, "plain.png", scene(6))
    exif = Image.Exif()
    exif[0x0112] = 6
    scene(6).rotate(90, expand=True).save(place.folder / "turned.jpg", exif=exif, quality=95)
    clear = Image.new("RGBA", (400, 300), (255, 0, 255, 0))
    clear.save(place.folder / "clear.png")
    Image.new("RGB", (400, 300), "white").save(place.folder / "white.png")
    grey = scene(6).convert("L")
    grey.save(place.folder / "grey.png")
    deep = Image.fromarray(np.asarray(grey, np.uint16) * 257)
    deep.save(place.folder / "deep.png")
    prints = {path.stem: fingerprint(path) for path in place.pictures()}
    one = prints[plain.stem]
    for a, b in (("plain", "turned"), ("clear", "white"), ("grey", "deep")):
        one, other = prints[a], prints[b]
        assert one and other
        assert (one.hash ^ other.hash).bit_count() <= 2, (a, b)
        assert abs(np.frombuffer(one.colours, np.uint8).astype(int) - list(other.colours)).max() < 12, (a, b)


@pytest.mark.skipif(not TRAIN.is_file(), reason=f"the tutorial's picture is not at {TRAIN}")
def test_the_tutorials_picture_and_its_variants(place: DatasetPlace) -> None:
    """Of the author's four, the mirror images are found, and a face is not taken for the whole."""
    for path in sorted((TRAIN.parent / "one-image-variants").glob("*.png")):
        with Image.open(path) as image:
            save(place, path.name, image.convert("RGB"))
    with Image.open(TRAIN) as image:
        save(place, "train.jpg", image.convert("RGB"))
    found = groups_of(place)
    assert list(map(len, found.values())) == [1]
    both = groups_of(place, WITH_MIRROR)
    assert sorted(len(spares) for spares in both.values()) == [1, 2]


def test_spares_go_with_their_captions_and_come_back(place: DatasetPlace) -> None:
    """Captions, latents and notes of a spare go with it; nothing is deleted, and undo gives back every byte."""
    save(place, "best.png", scene(1, (800, 600)), caption="best")
    save(place, "spare.png", scene(1), caption="spare")
    for name in ("spare.caption", "spare.npz", "spare_0400x0300_sd.npz", "spare.json", "spare_2.txt", "notes.md"):
        (place.folder / name).write_text(name)
    before = {name: (place.folder / name).read_bytes() for name in names(place)}
    done = dedupe(place)
    assert names(place) == ["best.png", "best.txt", "notes.md", "spare_2.txt"]
    assert done.step.counts == {"aside": 6}
    undo(place)
    assert {name: (place.folder / name).read_bytes() for name in names(place)} == before


def test_a_caption_that_another_picture_needs_stays(place: DatasetPlace) -> None:
    """a.png and a.jpg share a.txt: when one goes, the caption stays with the other."""
    save(place, "a.png", scene(1, (800, 600)), caption="shared")
    save(place, "a.jpg", scene(1))
    dedupe(place)
    assert names(place) == ["a.png", "a.txt"]


def test_a_kept_picture_takes_over_a_caption(place: DatasetPlace) -> None:
    """The largest has no caption: work that was done on its copy is not lost."""
    save(place, "best.png", scene(1, (800, 600)))
    save(place, "spare.png", scene(1), caption="tiger, 1boy")
    done = dedupe(place)
    assert (place.folder / "best.txt").read_text() == "tiger, 1boy"
    assert done.given == (place.folder / "best.txt",)
    undo(place)
    assert names(place) == ["best.png", "spare.png", "spare.txt"]


def test_a_mirror_images_caption_is_not_taken_over(place: DatasetPlace) -> None:
    """It may say left for right."""
    save(place, "best.png", scene(1, (800, 600)))
    save(place, "spare.png", ImageOps.mirror(scene(1)), caption="looking left")
    dedupe(place, WITH_MIRROR)
    assert names(place) == ["best.png"]


def test_sub_folders_when_asked(place: DatasetPlace) -> None:
    """Copies are found across folders."""
    save(place, "a.png", scene(1), age=1)
    save(place, "sub/a.png", scene(1))
    assert dedupe(place).spares == ()
    assert dedupe(place, DedupeOptions(recursive=True)).spares == (place.folder / "sub/a.png",)


def test_dry_run_changes_nothing(place: DatasetPlace) -> None:
    """What would go is counted; no history begins; the sheet is drawn where it was asked for."""
    save(place, "a.png", scene(1), age=1)
    save(place, "b.png", scene(1), caption="x")
    before = names(place)
    sheet = place.folder.parent / "sheet.png"
    done = dedupe(place, dry_run=True, sheet=sheet)
    assert (names(place), done.step.counts) == (before, {"created": 1, "aside": 2})
    assert not place.history.exists()
    with Image.open(sheet) as image:
        image.verify()


def test_the_sheet_frames_what_is_kept(place: DatasetPlace) -> None:
    """Beside the step's record lie a PNG with a green frame and an orange one, and a list of all groups."""
    save(place, "a.png", Image.new("RGB", (300, 300), "white"), age=1)
    save(place, "b.jpg", Image.new("RGB", (300, 300), "white"))
    done = dedupe(place)
    assert done.sheet and done.step.record
    with Image.open(done.sheet) as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 24) or []}
    assert {(0x1A, 0x9C, 0x5B), (0xD9, 0x8A, 0x00)} <= colours
    listed = json.loads((done.step.record.folder / "groups.json").read_text())
    assert [Path(group["kept"]).name for group in listed] == ["a.png"]
    assert listed[0]["set_aside"][0]["distance"] == 0


def test_nothing_alike_leaves_no_step(place: DatasetPlace) -> None:
    """A dataset without copies has no entry in its history."""
    save(place, "a.png", scene(1))
    save(place, "b.png", scene(2))
    done = dedupe(place)
    assert (done.groups, done.sheet, read_steps(place.history)) == ((), None, [])


def test_what_cannot_be_read_is_named_and_stays(place: DatasetPlace) -> None:
    """Text, a picture cut short, no bytes, and 2.5 billion pixels in a few KB: none is decoded, none is a copy."""
    good = save(place, "good.png", scene(1))
    (place.folder / "text.png").write_text("I am text")
    (place.folder / "cut.png").write_bytes(good.read_bytes()[:2000])
    for name in ("empty.png", "empty too.png"):
        (place.folder / name).write_bytes(b"")
    bomb = bomb_png(place.folder / "bomb.png")
    assert bomb.stat().st_size < 5000
    began = time.monotonic()
    done = dedupe(place)
    assert time.monotonic() - began < 5
    assert {path.name for path in done.unreadable} >= {"text.png", "cut.png", "bomb.png"}
    assert done.groups == ()


def test_animated_and_16_bit_pictures_are_compared(place: DatasetPlace) -> None:
    """The first frame counts, as in training."""
    frames = [scene(1), scene(2)]
    frames[0].save(place.folder / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    save(place, "b.png", scene(1, (800, 600)))
    assert groups_of(place) == {"b.png": ["a.webp: 0 bits apart"]}


def rows(values: dict[str, list[float]]) -> "tuple[list[str], NDArray[np.float32]]":
    return list(values), np.array(list(values.values()), np.float32)


def test_embeddings_by_cosine(place: DatasetPlace) -> None:
    """What a model finds alike: above the notebook's 0.985, whatever the lengths of the rows."""
    for seed, name in enumerate(("a.png", "b.png", "c.png", "d.png")):
        save(place, name, scene(seed, (400 + seed, 300)))
    known = dict(zip(*rows({"a.png": [0, 1], "b.png": [0.1, 0.995], "c.png": [2, 0], "d.png": [0, 0]}), strict=True))

    def embed(paths: Sequence[Path]) -> NDArray[np.float32]:
        return np.stack([known[path.name] for path in paths])

    groups, _ = find_groups(place.pictures(), DedupeOptions(), embed=embed)
    assert [(group.kept.name, [str(spare) for spare in group.spares]) for group in groups] == [
        ("b.png", ["cosine 0.995"])
    ]


def test_embeddings_over_many_rows_are_all_compared() -> None:
    """Blocks of rows have no seam: pairs far apart and near are found, as by one multiplication."""
    from kohya_wrap.dataset.verbs.dedupe.alike import EmbeddingLikeness

    numbers = np.random.default_rng(0).normal(size=(5000, 8))
    numbers[4999], numbers[2048] = numbers[0] * 3, numbers[2047]
    unit = numbers / np.linalg.norm(numbers, axis=1, keepdims=True)
    likeness = EmbeddingLikeness(numbers, cosine=0.985)
    free = np.ones(5000, bool)
    for at in (0, 2047, 2048, 4999, 1234):
        expected = set(np.flatnonzero(unit @ unit[at] > 0.985).tolist()) - {at}
        assert {near.index for near in likeness.near(at, free)} == expected
    assert 4999 in {near.index for near in likeness.near(0, free)}


def test_embeddings_from_a_file(place: DatasetPlace, tmp_path: Path) -> None:
    """An .npz with names and rows; a picture that it lacks is an error that names it."""
    save(place, "a.png", scene(1), age=1)
    save(place, "b.png", scene(2))
    labels, numbers = rows({"a.png": [1, 0], "b.png": [1, 0.01]})
    np.savez(tmp_path / "e.npz", names=labels, embeddings=numbers)
    embed = embeddings_of(tmp_path / "e.npz", place.folder)
    assert [path.name for path in dedupe(place, embed=embed, dry_run=True).spares] == ["b.png"]
    save(place, "c.png", scene(3))
    with pytest.raises(DatasetError, match=r"c\.png"):
        dedupe(place, embed=embed, dry_run=True)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 broken"])
def test_a_file_without_embeddings(tmp_path: Path, content: bytes) -> None:
    """What is no .npz is an error of ours."""
    (tmp_path / "e.npz").write_bytes(content)
    with pytest.raises(DatasetError, match="embeddings"):
        embeddings_of(tmp_path / "e.npz", tmp_path)


@pytest.mark.parametrize("options", [DedupeOptions(threshold=17), DedupeOptions(threshold=-1), DedupeOptions(cosine=0)])
def test_thresholds_that_cannot_be(place: DatasetPlace, options: DedupeOptions) -> None:
    """An error with what to give instead."""
    with pytest.raises(DatasetError, match="give"):
        dedupe(place, options)


def test_two_at_once_are_refused(place: DatasetPlace) -> None:
    """While another step holds the dataset, nothing is read and nothing moved."""
    save(place, "a.png", scene(1))
    save(place, "b.png", scene(1))
    with open_step(place, "curate", {}), pytest.raises(ProjectBusyError):
        dedupe(place)
    assert names(place) == ["a.png", "b.png"]


def test_ctrl_c_in_the_middle_can_be_undone(place: DatasetPlace) -> None:
    """Interrupted while files are set aside, in a process of its own: every file is whole, and undo brings all back."""
    for at in range(400):
        path = save(place, f"{at:03}.png", scene(at % 4, (64, 64)), age=1000 - at, caption="x")
        path.with_suffix(".json").write_text("{}")
    before = names(place)
    code = "import sys; from kohya_wrap.cli.main import main; sys.argv = ['kohya-wrap', *sys.argv[1:]]; main()"
    root = str(place.folder.parents[2])
    process = subprocess.Popen((sys.executable, "-c", code, "dataset", "dedupe", "p", "--root", root))
    journal = place.history / "0001-dedupe/changes.jsonl"
    while not (journal.is_file() and journal.stat().st_size > 2000) and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert [step.state for step in read_steps(place.history)] == ["open"]
    assert 4 < len(names(place)) < len(before)
    undo(place)
    assert names(place) == before


def test_without_captions_only_known_companions_go(place: DatasetPlace) -> None:
    """No caption extension: a file without any ending is not taken for a caption."""
    save(place, "a.png", scene(1), age=1)
    save(place, "b.png", scene(1), caption="x")
    (place.folder / "b").write_text("mine")
    dedupe(place, DedupeOptions(caption_extension=""))
    assert names(place) == ["a.png", "b"]


def test_a_history_that_cannot_be_written(place: DatasetPlace) -> None:
    """Nothing is moved where nothing can be kept."""
    save(place, "a.png", scene(1))
    save(place, "b.png", scene(1))
    place.history.write_text("a file in its place")
    with pytest.raises(OutputError, match="history"):
        dedupe(place)
    assert names(place) == ["a.png", "b.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_without_permission(place: DatasetPlace) -> None:
    """A folder that may not be changed is an error, and nothing is lost."""
    save(place, "a.png", scene(1))
    save(place, "b.png", scene(1))
    place.folder.chmod(0o555)
    try:
        with pytest.raises(OutputError):
            dedupe(place)
    finally:
        place.folder.chmod(0o755)
    assert names(place) == ["a.png", "b.png"]
