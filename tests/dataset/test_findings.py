"""Every row of FINDINGS is found in a real folder; all of them come in one list; nothing is touched."""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from dataset_helpers import Tables, captioned, codes, draw, found, only, project_of, state_of
from PIL import Image

from kohya_wrap.dataset.findings import FINDINGS, accept, finding, shown
from kohya_wrap.paths import ProjectPaths

SMALL_PNG = b"\x89PNG\r\n\x1a\n"


def header_only(path: Path, width: int, height: int) -> None:
    """Write a PNG that says how large it is, and has next to nothing in it."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    path.write_bytes(SMALL_PNG + b"".join(parts))


def cut(path: Path, keep: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


def noise(path: Path) -> Path:
    Image.effect_noise((96, 80), 80).convert("RGB").save(path)
    path.with_suffix(".txt").write_text("tiger\n", encoding="utf-8")
    return path


def aged(path: Path, content: bytes = b"PK") -> None:
    path.write_bytes(content)
    os.utime(path, (1, 1))


def turned(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (96, 80)).save(folder / "turned.jpg", exif=exif)
    (folder / "turned.txt").write_text("tiger\n", encoding="utf-8")


def grey_16(folder: Path) -> None:
    Image.new("I;16", (96, 80), 30_000).save(folder / "grey.png")
    (folder / "grey.txt").write_text("tiger\n", encoding="utf-8")


def hidden_colours(folder: Path) -> None:
    Image.new("RGBA", (96, 80), (200, 20, 20, 0)).save(folder / "ghost.png")
    (folder / "ghost.txt").write_text("tiger\n", encoding="utf-8")


def animated(folder: Path) -> None:
    frames = [Image.new("RGB", (96, 80), color) for color in ("red", "blue")]
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:], duration=100)
    (folder / "moving.txt").write_text("tiger\n", encoding="utf-8")


def cmyk(folder: Path) -> None:
    draw(folder / "print.jpg", mode="CMYK", color=0)
    (folder / "print.txt").write_text("tiger\n", encoding="utf-8")


def written(name: str, content: bytes) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return make


def with_caption(name: str, content: bytes) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        draw(folder / f"{name}.png")
        (folder / f"{name}.txt").write_bytes(content)

    return make


SITUATIONS: dict[str, tuple[Callable[[Path], object], str]] = {
    "sub-folder": (lambda f: draw(f / "more" / "x.png"), "more"),
    "other-file": (written("notes.psd", b"8BPS"), "notes.psd"),
    "mixed-case-ending": (lambda f: draw(f / "Odd.Png"), "Odd.Png"),
    "unknown-ending": (lambda f: draw(f / "anim.gif"), "anim.gif"),
    "metadata-cache": (written("metadata_cache.json", b"{}"), "metadata_cache.json"),
    "zero-bytes": (with_caption("zero", b"tiger\n"), "zero.png"),
    "not-a-picture": (written("text.png", b"I am no picture at all.\n"), "text.png"),
    "truncated": (lambda f: cut(noise(f / "cut.png"), 0.7), "cut.png"),
    "too-many-pixels": (lambda f: header_only(f / "bomb.png", 50_000, 50_000), "bomb.png"),
    "same-stem": (lambda f: (captioned(f / "twin.png"), draw(f / "twin.jpg")), ""),
    "exif-rotation": (turned, "turned.jpg"),
    "grey-16-bit": (grey_16, "grey.png"),
    "transparency": (hidden_colours, "ghost.png"),
    "cmyk": (cmyk, "print.jpg"),
    "animated": (animated, "moving.webp"),
    "upscaled": (lambda f: captioned(f / "tiny.png", (20, 30)), "tiny.png"),
    "stale-cache": (lambda f: aged(f / "good_0096x0080_sd.npz"), "good_0096x0080_sd.npz"),
    "cache-name": (written("good_sd.npz", b"PK"), "good_sd.npz"),
    "caption-missing": (lambda f: draw(f / "silent.png"), ""),
    "caption-empty": (with_caption("empty", b""), "empty.txt"),
    "caption-blank": (with_caption("blank", b" \n\n"), "blank.txt"),
    "caption-not-utf8": (with_caption("latin", "tigre, forêt".encode("latin-1")), "latin.txt"),
    "caption-borrowed": (lambda f: draw(f / "good_1_2_3_4.png"), "good_1_2_3_4.png"),
    "caption-ending": (lambda f: (draw(f / "other.png"), written("other.caption", b"tiger\n")(f)), ""),
    "caption-lines": (with_caption("lines", b"tiger, forest\nand more\n"), "lines.txt"),
    "caption-long": (with_caption("long", b"tiger, " + b"word, " * 300), "long.txt"),
    "caption-orphan": (written("alone.txt", b"tiger\n"), "alone.txt"),
    "activation-tag": (with_caption("late", b"forest, tiger\n"), ""),
}
"""What is done to a folder that was clean, and the file that the message names ("" for the folder itself)."""
TAGGED: Tables = {"dataset": {"activation_tag": "tiger"}}


def make(folder: Path, code: str) -> None:
    SITUATIONS[code][0](folder)
    if code == "zero-bytes":
        (folder / "zero.png").write_bytes(b"")


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    """Give a project with one sound picture."""
    project = project_of(tmp_path)
    captioned(project.dataset / "good.png")
    return project


def test_clean(project: ProjectPaths) -> None:
    """A sound picture with a caption has no findings."""
    assert found(project, TAGGED) == []


@pytest.mark.parametrize("code", SITUATIONS)
def test_is_found(project: ProjectPaths, code: str) -> None:
    """The situation is found under its name; the message names the file, says what is wrong and what to do."""
    make(project.dataset, code)
    problem = only(found(project, TAGGED), code)
    assert problem.where == str(project.dataset / SITUATIONS[code][1])
    assert problem.what
    way_out = f'; if it is meant: dataset.accept = ["{code}"]'
    kind = FINDINGS[code]
    assert problem.todo == kind.todo + (way_out if kind.acceptable and kind.severity == "error" else "")
    assert problem.severity == FINDINGS[code].severity


def test_nothing_else_is_found(project: ProjectPaths) -> None:
    """A situation is not reported under other names too; those that bring a second one are listed."""
    brings = {"caption-ending": "caption-missing", "same-stem": "", "caption-blank": ""}
    for code in SITUATIONS:
        folder = project_of(project.root / f"one {code}")
        captioned(folder.dataset / "good.png")
        make(folder.dataset, code)
        expected = sorted({code, brings.get(code, "")} - {""})
        assert codes(found(folder, TAGGED)) == expected


def test_all_at_once(project: ProjectPaths) -> None:
    """A folder with everything wrong in it gives every finding in one list."""
    for code in SITUATIONS:
        make(project.dataset, code)
    assert set(SITUATIONS) <= set(codes(found(project, TAGGED)))


def test_nothing_is_touched(project: ProjectPaths) -> None:
    """No file appears, goes, or changes in content or time, whatever is wrong."""
    for code in SITUATIONS:
        make(project.dataset, code)
    before = state_of(project.root)
    found(project, TAGGED)
    assert state_of(project.root) == before


def test_table_is_covered() -> None:
    """Every kind of finding has a test: here, or in the file named after what it is about."""
    elsewhere = {
        "folder-missing", "folder-unreadable", "folder-empty", "folder-twice", "no-repeats", "unreadable",
        "name-not-utf8", "too-small", "too-large", "shared-cache", "reused-cache", "no-captions",
        "caption-unreadable", "source-missing", "source-link", "target-differs", "not-named", "custom-dataset",
        "bucket-limits", "reg-dropped", "not-yet",
    }  # fmt: skip
    assert set(FINDINGS) == set(SITUATIONS) | elsewhere
    here = Path(__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in here.glob("test_*.py") if path != Path(__file__))
    assert {code for code in elsewhere if f'"{code}"' not in text} == set()


def test_accept_makes_a_warning(project: ProjectPaths) -> None:
    """An accepted finding stays in the list, as a warning that does not ask to be accepted."""
    make(project.dataset, "exif-rotation")
    tables: Tables = {"dataset": {"accept": ["exif-rotation"]}}
    problem = only(found(project, tables), "exif-rotation")
    assert (problem.severity, "dataset.accept" in problem.todo) == ("warning", False)


def test_accept_leaves_others(project: ProjectPaths) -> None:
    """Only what is named is accepted."""
    make(project.dataset, "grey-16-bit")
    assert only(found(project, {"dataset": {"accept": ["exif-rotation"]}}), "grey-16-bit").severity == "error"


def test_accept_of_a_failure() -> None:
    """What the engine cannot train at all cannot be accepted."""
    wrong, kept = accept([finding("truncated", "x.png", "is cut")], ["truncated"])
    assert (wrong.where, wrong.severity, kept.severity) == ("dataset.accept", "error", "error")


def test_accept_misspelt() -> None:
    """A name that does not exist is an error with the nearest one."""
    (wrong,) = accept([], ["exif-rotaton"])
    assert "exif-rotation" in wrong.todo


def test_shown_on_one_line() -> None:
    """A file name with a line break, or with bytes that are not UTF-8, can be shown."""
    assert shown("a\nb") == "a\\nb"
    assert shown("a\udcff") == "a\\udcff"
    assert shown("虎 \"'\\") == "虎 \"'\\"
