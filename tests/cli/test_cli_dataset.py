"""The dataset verbs as commands: what they print, and their exit codes."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with two equal pictures and a note."""
    folder = tmp_path / "Loras/p/dataset"
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        Image.linear_gradient("L").convert("RGB").resize((600, 600)).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text("tiger")
    (folder / "notes.md").write_text("mine")
    return tmp_path


def run(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        (COMMAND, "dataset", *arguments, "--root", str(root)), capture_output=True, text=True, check=False, timeout=60
    )


def names(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "Loras/p/dataset").iterdir())


def test_dedupe_says_what_went_and_undo_brings_it_back(root: Path) -> None:
    """The kept picture, its spare and how they differ, where the groups are drawn, and the step's number."""
    before = names(root)
    done = run(root, "dedupe", "p")
    assert done.returncode == 0, done.stderr
    assert "a.png ← b.png (exact copy)" in done.stdout
    assert "groups.png" in done.stdout
    assert names(root) == ["a.png", "a.txt", "notes.md"]
    assert run(root, "undo", "p").returncode == 0
    assert names(root) == before


def test_the_way_back_can_be_pasted(root: Path) -> None:
    """What is said to take a step back does, from the same folder."""
    folder = root / "my p"
    (root / "Loras/p/dataset").rename(folder)
    argv = (COMMAND, "dataset", "clean", "my p")
    said = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=True, timeout=60).stdout
    back = said.split("`")[1]
    assert back == "kohya-wrap dataset undo './my p'"
    words = (COMMAND, *shlex.split(back)[1:])
    assert subprocess.run(words, cwd=root, capture_output=True, check=False, timeout=60).returncode == 0
    assert (folder / "notes.md").read_text() == "mine"


def test_a_file_is_no_dataset(root: Path) -> None:
    """A picture's path is not taken for the sub-folder of a new project."""
    (root / "a.png").write_bytes(b"")
    done = run(root, "scan", "Loras/p/dataset/a.png")
    assert (done.returncode, "is a file, no dataset" in done.stderr) == (11, True)
    assert run(root, "add", "a.png", "Loras/p/dataset").returncode == 11
    assert not (root / "Loras/a.png").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("dedupe", "p"),
        ("dedupe", "p", "--mirror", "--threshold", "10"),
        ("clean", "p", "--broken"),
        ("shrink", "p", "small"),
    ],
)
def test_dry_runs_change_nothing(root: Path, arguments: tuple[str, ...]) -> None:
    """What would be done is said; every file and folder stays as it was."""
    before = sorted(root.rglob("*"))
    done = run(root, *arguments, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "would be" in done.stdout
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize(("threshold", "code"), [("6.5", 11), ("17", 11), ("much", 2)])
def test_a_wrong_threshold(root: Path, threshold: str, code: int) -> None:
    """An error in a sentence, not a traceback."""
    done = run(root, "dedupe", "p", "--threshold", threshold)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_scan_prints_counts_buckets_and_findings(root: Path) -> None:
    """Code 11 where a run would stop, as with the note here; 0 once it is gone."""
    done = run(root, "scan", "p", "--sheet", str(root / "sheet.png"), "--mean", str(root / "mean.png"))
    assert done.returncode == 11
    assert "dataset |    2 pictures |    2 captions |    1 other files" in done.stdout
    assert "512x512" in done.stdout
    assert "[other-file] notes.md" in done.stdout
    assert (root / "sheet.png").is_file()
    assert (root / "mean.png").is_file()
    assert run(root, "clean", "p").returncode == 0
    assert run(root, "scan", "p").returncode == 0


def test_scan_as_a_preset_would_train_it(root: Path) -> None:
    """The preset's resolution decides the buckets; --resolution wins over it."""
    assert "at 64x64 pixels" in run(root, "scan", "p", "--preset", "demo").stdout
    assert "at 768x768 pixels" in run(root, "scan", "p", "--preset", "demo", "--resolution", "768").stdout
    assert run(root, "scan", "p", "--resolution", "500").returncode == 11


def test_new_then_scan(tmp_path: Path) -> None:
    """A new project is found by its name, and is empty."""
    assert run(tmp_path, "new", "tiger/face", "--structure", "category").returncode == 0
    done = run(tmp_path, "scan", "tiger/face")
    assert done.returncode == 11
    assert "folder-empty" in done.stdout


def test_shrink_writes_a_copy_beside(root: Path) -> None:
    """How much smaller it became, and where it is."""
    before = names(root)
    done = run(root, "shrink", "p", str(root / "small"))
    assert done.returncode == 0, done.stderr
    assert "0 pictures made smaller, 2 copied as they are" in done.stdout  # gradients are smallest as PNG
    assert (root / "small/a.txt").read_text() == "tiger"
    assert names(root) == before
