"""Names and files that break careless programs: links, loops, odd names, bombs, very large captions."""

import os
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest
from dataset_helpers import captioned, codes, draw, forbid, found, only, prepared, project_of
from PIL import Image

from kohya_wrap.dataset import dataset_hashes
from kohya_wrap.dataset.captions import caption_findings, estimated_tokens
from kohya_wrap.dataset.pictures import look_at
from kohya_wrap.paths import ProjectPaths


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    """Give a project with one sound picture."""
    project = project_of(tmp_path)
    captioned(project.dataset / "good.png")
    return project


ODD_NAMES = (
    "it's", 'so "called"', "back\\slash", "虎の絵", "with\nbreak", "a.b.c", " space ", "[x]*?", "-rf", "🐯", "x" * 200,
)  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names(project: ProjectPaths, name: str) -> None:
    """Any name that a file can have is taken as it is, with its caption."""
    captioned(project.dataset / f"{name}.png")
    dataset = prepared(project)
    assert dataset.findings == ()
    assert (project.dataset / f"{name}.txt") in {picture.caption for picture in dataset.pictures}
    assert len(dataset_hashes(dataset)) == 4


def test_name_that_is_not_utf8(project: ProjectPaths) -> None:
    """A name that could not be written into the record is said, in a way that can be shown."""
    data = (project.dataset / "good.png").read_bytes()
    with open(os.fsencode(project.dataset) + b"/tigre-\xe9.png", "wb") as file:  # noqa: PTH123 - a name in bytes
        file.write(data)
    problem = only(found(project), "name-not-utf8")
    assert str(problem).encode()


def test_hidden_files(project: ProjectPaths) -> None:
    """Files whose names begin with a dot are not seen by the engine, and are no finding."""
    for name in (".DS_Store", "._good.png", ".x.txt"):
        (project.dataset / name).write_bytes(b"Mac OS X")
    assert (found(project), prepared(project).train_images) == ([], 10)


def test_link_to_a_picture(project: ProjectPaths) -> None:
    """A link counts as the picture that it leads to."""
    target = draw(project.root / "elsewhere.png")
    (project.dataset / "link.png").symlink_to(target)
    (project.dataset / "link.txt").symlink_to(project.dataset / "good.txt")
    assert (prepared(project).train_images, found(project)) == (20, [])


def test_links_that_lead_nowhere(project: ProjectPaths) -> None:
    """A broken link and a link to itself are unreadable pictures: the engine would see their names."""
    (project.dataset / "broken.png").symlink_to(project.root / "gone.png")
    (project.dataset / "loop.png").symlink_to(project.dataset / "loop.png")
    assert codes([p for p in found(project) if p.code != "caption-missing"]) == ["unreadable", "unreadable"]


def test_loop_of_folders(project: ProjectPaths) -> None:
    """A sub-folder that leads back up does not send the search round in circles."""
    (project.dataset / "deep").mkdir()
    (project.dataset / "deep" / "up").symlink_to(project.dataset)
    assert set(codes(found(project))) <= {"sub-folder"}


def test_folder_is_a_loop(project: ProjectPaths) -> None:
    """A folder that is a link to itself cannot be read."""
    (project.root / "loop").symlink_to(project.root / "loop")
    problems = found(project, {"dataset": {"images": ["loop"]}})
    assert only(problems, "folder-unreadable").where == str(project.root / "loop")


def test_folder_with_a_pictures_name(project: ProjectPaths) -> None:
    """The engine stops at a folder that is named like a picture."""
    (project.dataset / "album.png").mkdir()
    assert only(found(project), "not-a-picture").where.endswith("album.png")


def test_pipe_is_not_waited_for(project: ProjectPaths) -> None:
    """A named pipe among the pictures does not hold up the look."""
    os.mkfifo(project.dataset / "pipe.png")
    assert "zero-bytes" in codes(found(project))


def test_no_permission(project: ProjectPaths) -> None:
    """Pictures and captions that may not be read are said, each with its name."""
    forbid(captioned(project.dataset / "secret.png"), 0)
    forbid(project.dataset / "good.txt", 0)
    assert codes(found(project)) == ["caption-unreadable", "unreadable"]


def test_no_permission_for_the_folder(project: ProjectPaths) -> None:
    """A folder that may not be read, and one that may not be entered, are said."""
    (project.root / "closed" / "inner").mkdir(parents=True)
    forbid(project.root / "closed", 0)
    problems = found(project, {"dataset": {"images": ["closed", "closed/inner", "closed/x.png"]}})
    (project.root / "closed").chmod(0o700)
    assert codes(problems).count("folder-unreadable") == 3


def test_caption_that_went(tmp_path: Path) -> None:
    """A caption that cannot be opened is said, not raised."""
    (problem,) = caption_findings([tmp_path / "gone.txt"], max_tokens=225)
    assert problem.code == "caption-unreadable"


def bomb(path: Path, width: int, height: int) -> None:
    """Write a whole, valid PNG of black pixels, which packs a thousandfold."""
    packer = zlib.compressobj(9)
    row = b"\0" * (width // 8 + 1)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    parts = [struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def test_bomb_is_not_decoded(tmp_path: Path) -> None:
    """50,000 x 50,000 pixels in a small file are refused by the header alone: little time, little memory."""
    path = tmp_path / "bomb.png"
    bomb(path, 50_000, 50_000)
    tracemalloc.start()
    start = time.perf_counter()
    (look,) = look_at([path])
    seconds, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert codes(look.findings) == ["too-many-pixels"]
    assert seconds < 1
    assert peak < 10_000_000


def test_large_but_trained(tmp_path: Path) -> None:
    """A picture that Pillow would warn of, and the engine trains, is looked at without a warning."""
    path = tmp_path / "large.png"
    bomb(path, 10_000, 9_500)
    (look,) = look_at([path])
    assert (look.width, look.height, look.findings) == (10_000, 9_500, ())


def test_postscript_is_not_run(tmp_path: Path) -> None:
    """A file that would start another program to be read is no picture, whatever its name says."""
    path = tmp_path / "x.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n%%EndComments\nshowpage\n")
    assert codes(look_at([path])[0].findings) == ["not-a-picture"]


def test_ending_and_format_may_differ(tmp_path: Path) -> None:
    """A JPEG that is named .png is trained, so it is no finding."""
    draw(tmp_path / "x.jpg", (50, 40)).rename(tmp_path / "x.png")
    (look,) = look_at([tmp_path / "x.png"])
    assert (look.width, look.height, look.findings) == (50, 40, ())


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp"])
@pytest.mark.parametrize("keep", [0.02, 0.3, 0.6, 0.95])
def test_cut_anywhere(tmp_path: Path, ending: str, keep: float) -> None:
    """Wherever a picture of any format is cut off, it is found."""
    path = tmp_path / f"x.{ending}"
    Image.effect_noise((96, 80), 80).convert("RGB").save(path)
    data = path.read_bytes()
    path.write_bytes(data[: max(1, int(len(data) * keep))])
    assert codes(look_at([path])[0].findings) in (["truncated"], ["not-a-picture"])


def test_opaque_alpha(tmp_path: Path) -> None:
    """An alpha channel that hides nothing is no finding."""
    draw(tmp_path / "x.png", mode="RGBA", color="#c84")
    assert look_at([tmp_path / "x.png"])[0].findings == ()


def test_half_transparent(tmp_path: Path) -> None:
    """A colour that shines through only in part is changed as well."""
    Image.new("RGBA", (96, 80), (9, 9, 9, 128)).save(tmp_path / "x.png")
    assert codes(look_at([tmp_path / "x.png"])[0].findings) == ["transparency"]


def test_palette_transparency(tmp_path: Path) -> None:
    """A palette with a transparent colour hides colours too."""
    Image.new("P", (96, 80), 0).save(tmp_path / "x.png", transparency=0)
    assert codes(look_at([tmp_path / "x.png"])[0].findings) == ["transparency"]


def test_caption_of_a_megabyte(project: ProjectPaths) -> None:
    """A caption of a megabyte is read in no time, and said to be too long."""
    (project.dataset / "good.txt").write_text("tiger, " + "stripes " * 125_000, encoding="utf-8")
    start = time.perf_counter()
    assert codes(found(project)) == ["caption-long"]
    assert time.perf_counter() - start < 2


def test_caption_that_is_no_caption(project: ProjectPaths) -> None:
    """Something enormous under a caption's name is not read at all."""
    with (project.dataset / "good.txt").open("wb") as file:
        file.truncate(1 << 26)
    assert codes(found(project)) == ["caption-long"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xef\xbb\xbftiger, x", []),  # a byte order mark
        (b"tiger, x\r\n", []),
        (b"tiger, x\x0b y", []),  # no line end for the engine
        (b"\ntiger, x", ["caption-blank"]),  # the engine reads the first line, whatever follows
        (b"\r\n", ["caption-blank"]),
        (b"tiger\rand more", ["caption-lines"]),
        ("虎".encode("utf-16"), ["caption-not-utf8"]),
        ("虎".encode("shift-jis"), ["caption-not-utf8"]),
        (b"(tiger:1.1), x", []),
        (b"tiger", []),
        (b"tigers, x", ["activation-tag"]),
    ],
)
def test_caption_contents(tmp_path: Path, content: bytes, expected: list[str]) -> None:
    """A caption is read as the engine reads it: its first line, in UTF-8."""
    path = tmp_path / "x.txt"
    path.write_bytes(content)
    assert codes(list(caption_findings([path], max_tokens=225, activation_tag="tiger"))) == expected


@pytest.mark.parametrize("tag", ["lakto (tiger)", "lakto:tiger", "lakto, tiger"])
def test_activation_tags_with_signs(tmp_path: Path, tag: str) -> None:
    """An activation tag may have brackets, escaped or not, colons and commas."""
    for text in (tag, tag.replace("(", "\\(").replace(")", "\\)")):
        (tmp_path / "x.txt").write_text(f"{text}, forest", encoding="utf-8")
        assert not list(caption_findings([tmp_path / "x.txt"], max_tokens=225, activation_tag=tag))


def test_tokens() -> None:
    """Words, digits and signs count one each, long words more."""
    assert estimated_tokens("tiger, 1girl, extraordinarily") == 1 + 1 + 1 + 1 + 1 + 3
