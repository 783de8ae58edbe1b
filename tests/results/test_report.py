"""The HTML report: everything is in it, nothing of it runs, nothing of it asks a network."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from run_records import make_record

from kohya_wrap.record.model import ErrorEntry, FileEntry, LaunchEntry, PresetEntry, SamplesEntry
from kohya_wrap.results.report import changed_settings, report, top_tags, write_report

HOSTILE = '<script>alert("1")</script>"><img src=x onerror=alert(1)>'


class Tags(HTMLParser):
    """Keeps every tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep one."""
        self.seen.append((tag, dict(attrs)))


def tags_of(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(html)
    return parser.seen


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[FileEntry, ...]:
    """A picture with a hostile caption, and one that is gone."""
    Image.new("RGB", (900, 300), "red").save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text(f"tiger, {HOSTILE}, tiger", encoding="utf-8")
    paths = [tmp_path / name for name in ("a.png", "a.txt", "gone.png")]
    return tuple(FileEntry(path=str(path), sha256="1" * 64) for path in paths)


def test_nothing_in_it_runs(pictures: tuple[FileEntry, ...]) -> None:
    """Captions, names, messages and TOML from strangers stay text: no script, no handler, no tag of theirs."""
    record = make_record(
        project=HOSTILE,
        dataset=pictures,
        warnings=(HOSTILE,),
        error=ErrorEntry(kind="x", exit_code=1, message=HOSTILE),
        launch=LaunchEntry(training_config=HOSTILE, dataset_config=HOSTILE),
        preset=PresetEntry(name=HOSTILE, path=HOSTILE, overrides=(HOSTILE,), resolved={"setup": {HOSTILE: HOSTILE}}),
    )
    seen = tags_of(report(record))
    assert "script" not in {tag for tag, _ in seen}
    assert not [attrs for _, attrs in seen if any(name.startswith("on") for name in attrs)]
    assert {(attrs["src"] or "")[:11] for tag, attrs in seen if tag == "img"} <= {"data:image/"}


def test_it_asks_no_network(pictures: tuple[FileEntry, ...], tmp_path: Path) -> None:
    """Every picture is inside; there is no address to load anything from."""
    grid = tmp_path / "grid.png"
    Image.new("RGB", (8, 8)).save(grid)
    html = report(make_record(dataset=pictures), grids=[grid])
    attributes = [value or "" for _, attrs in tags_of(html) for name, value in attrs.items() if name in {"src", "href"}]
    assert attributes
    assert all(value.startswith("data:") for value in attributes)
    assert "url(" not in html.split("</style>")[0]


def test_the_grids_of_the_record_are_in_it(tmp_path: Path) -> None:
    """Each once, no wider than a screen; one that is gone or no picture is left out."""
    for name in ("grid.png", "grid-2.png"):
        Image.new("RGB", (3200, 800), "red").save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    paths = [str(tmp_path / name) for name in ("grid.png", "grid-2.png", "gone.png", "broken.png")]
    html = report(make_record(samples=SamplesEntry(grids=tuple(paths))))
    assert html.count("Test pictures") == 1
    shown = [attrs for tag, attrs in tags_of(html) if tag == "img" and "grid" in (attrs["alt"] or "")]
    assert [attrs["alt"] for attrs in shown] == ["grid.png", "grid-2.png"]
    with Image.open(io.BytesIO(base64.b64decode((shown[0]["src"] or "").partition(",")[2]))) as image:
        assert image.size == (1600, 400)


def test_a_picture_is_shown_small_and_one_that_is_gone_by_its_name(pictures: tuple[FileEntry, ...]) -> None:
    """A thumbnail of at most 256 pixels; no error for what is no longer there."""
    html = report(make_record(dataset=pictures))
    (data,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    path = Path(pictures[0].path).with_name("thumb.jpg")
    path.write_bytes(base64.b64decode(data))
    with Image.open(path) as image:
        assert image.size == (256, 85)
    assert "gone.png" in html


def test_tags_are_counted_once_a_caption(tmp_path: Path) -> None:
    """Most used first."""
    for name, text in (("a", "x, y, x"), ("b", "y")):
        (tmp_path / f"{name}.txt").write_text(text)
    entries = [FileEntry(path=str(tmp_path / f"{name}.txt")) for name in "ab"]
    assert top_tags(entries, ".txt") == [("y", 2), ("x", 1)]


def test_settings_are_held_against_their_defaults() -> None:
    """Only what differs, with the default beside it."""
    resolved = {"setup": {"project_name": "tiger"}, "learning": {"unet_lr": 1e-4}}
    changed = {key: (value, default) for key, value, default in changed_settings(resolved) if value}
    assert changed == {"learning.unet_lr": ("0.0001", "0.0005")}


def test_a_failed_run_says_why_and_how_to_repeat_it(tmp_path: Path) -> None:
    """The error's text, and commands that a shell takes as they are."""
    preset = PresetEntry(name="my wolf", path="p", overrides=("a.b=c d",))
    record = make_record(status="failed", preset=preset, error=ErrorEntry(kind="x", exit_code=1, message="no memory"))
    text = write_report(record, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "no memory" in text
    assert "kohya-wrap train &#39;my wolf&#39; --set &#39;a.b=c d&#39;" in text
