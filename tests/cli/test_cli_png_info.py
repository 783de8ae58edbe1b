"""kohya-wrap png-info as a user types it."""

import json
import subprocess
import sys
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))
TEXT = "a fox <lora:foxes:0.8>\nNegative prompt: bad\nSteps: 20, Sampler: Euler a, Seed: 0, Model hash: aabbccddee"


def picture(path: Path, text: str = TEXT) -> Path:
    info = PngInfo()
    info.add_text("parameters", text)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return path


def png_info(*words: str | Path, pasted: str = "") -> subprocess.CompletedProcess[str]:
    argv = [COMMAND, "png-info", *map(str, words)]
    return subprocess.run(argv, input=pasted, capture_output=True, text=True, encoding="utf-8", check=False)


def test_a_picture_for_a_person(tmp_path: Path) -> None:
    """Prompts, settings, model and LoRAs stand on lines of their own."""
    shown = png_info(picture(tmp_path / "a.png"))
    assert shown.returncode == 0
    for line in ("prompt      a fox <lora:foxes:0.8>", "negative    bad", "foxes  weight 0.8", "hash aabbccddee"):
        assert line in shown.stdout


def test_pictures_for_a_program(tmp_path: Path) -> None:
    """--json prints one list, in the order of the files."""
    shown = png_info(picture(tmp_path / "a.png"), picture(tmp_path / "b.png", "only a prompt"), "--json")
    first, second = json.loads(shown.stdout)
    assert first["settings"]["Seed"] == "0"
    assert first["loras"] == [{"name": "foxes", "hash": "", "weight": 0.8, "civitai_version_id": None}]
    assert first["model"]["hash"] == "aabbccddee"
    assert (second["prompt"], second["model"]) == ("only a prompt", None)


def test_pasted_text() -> None:
    """A dash reads what is pasted."""
    assert json.loads(png_info("-", "--json", pasted=TEXT).stdout)[0]["negative_prompt"] == "bad"


def test_one_bad_file_does_not_hide_the_others(tmp_path: Path) -> None:
    """The good ones are shown, each bad one is named, the exit code is that of wrong pictures."""
    Image.new("RGB", (8, 8)).save(tmp_path / "empty.png")
    shown = png_info(tmp_path / "empty.png", picture(tmp_path / "a.png"), tmp_path / "no.png")
    assert shown.returncode == 11
    assert "a fox" in shown.stdout
    assert "empty.png: holds no generation parameters" in shown.stderr
    assert "no.png: cannot be read" in shown.stderr


def test_a_hostile_text_cannot_drive_the_terminal(tmp_path: Path) -> None:
    """Escape sequences are shown as replacement characters."""
    shown = png_info(picture(tmp_path / "a.png", "\x1b[2J\x1b]0;title\x07fox"))
    assert "\x1b" not in shown.stdout
    assert "fox" in shown.stdout


def test_half_characters_can_be_printed(tmp_path: Path) -> None:
    """A lone surrogate, which JSON in a picture can hold, is shown and written."""
    path = picture(tmp_path / "a.png", 'p\nSteps: 1, Seed: 2, Note: "a, \\ud800"')
    assert png_info(path).returncode == 0
    assert json.loads(png_info(path, "--json").stdout)[0]["settings"]["Note"] == "a, \ud800"
