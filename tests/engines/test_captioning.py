"""Captioning in the engine's environment: a BLIP model of random numbers, on real pictures."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from kohya_wrap.dataset.captioning import FILES, BlipOptions, model_files
from kohya_wrap.engines.captioning.blip import MARK, BlipCaptioner
from kohya_wrap.errors import DatasetError

SHORT = BlipOptions(caption_min=3, caption_max=9, batch_size=2)


def no_fetch(repo: str, file: str) -> Path:
    raise AssertionError(f"{repo} {file} was asked for")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """An opaque one, a transparent one, a broken one, a grey one."""
    paths = [tmp_path / f"p{number}.png" for number in range(4)]
    Image.effect_noise((60, 40), 50).convert("RGB").save(paths[0])
    Image.new("RGBA", (40, 60), (255, 0, 0, 0)).save(paths[1])
    paths[2].write_bytes(b"not a picture")
    Image.new("L", (50, 50), 90).save(paths[3])
    return paths


def told(captioner: BlipCaptioner, pictures: list[Path], options: BlipOptions = SHORT) -> list[tuple[str, str, str]]:
    heard: list[tuple[str, str, str]] = []
    captioner(pictures, options, on_caption=lambda path, text, why: heard.append((path.name, text, why)))
    return heard


@pytest.mark.engine
def test_pictures_are_captioned(tmp_path: Path, pictures: list[Path], engine_python: Path) -> None:
    """In batches and in order, without special tokens; the broken one is named; again it gives the same."""
    script = Path(__file__).with_name("make_blip.py")
    subprocess.run([str(engine_python), str(script), str(tmp_path / "blip")], check=True, capture_output=True)
    captioner = BlipCaptioner(engine_python, "blip", model_files(str(tmp_path / "blip"), no_fetch), use_cpu=True)
    heard = told(captioner, pictures)
    assert sorted(name for name, _, _ in heard) == ["p0.png", "p1.png", "p2.png", "p3.png"]
    captions = {name: text for name, text, why in heard if not why}
    assert list(captions) == ["p0.png", "p1.png", "p3.png"]
    assert all(2 <= len(text.split()) <= 9 and "[" not in text for text in captions.values())
    assert told(captioner, pictures) == heard


@pytest.mark.engine
def test_another_model_is_refused(tmp_path: Path, pictures: list[Path], engine_python: Path) -> None:
    """By what its config.json says it is."""
    for file in FILES:
        (tmp_path / file).write_text('{"model_type": "bert"}')
    captioner = BlipCaptioner(engine_python, "user/bert", model_files(str(tmp_path), no_fetch))
    with pytest.raises(DatasetError, match="'bert', not 'blip'"):
        told(captioner, pictures)


@pytest.mark.engine
@pytest.mark.parametrize("broken", ["config.json", "model.safetensors"])
def test_a_broken_model_is_refused(tmp_path: Path, pictures: list[Path], engine_python: Path, broken: str) -> None:
    """It is the model that is at fault: to run it again would not help."""
    script = Path(__file__).with_name("make_blip.py")
    subprocess.run([str(engine_python), str(script), str(tmp_path / "blip")], check=True, capture_output=True)
    (tmp_path / "blip" / broken).write_bytes(b"cut off")
    captioner = BlipCaptioner(engine_python, "blip", model_files(str(tmp_path / "blip"), no_fetch), use_cpu=True)
    with pytest.raises(DatasetError, match="is no model that captions"):
        told(captioner, pictures)


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> BlipCaptioner:
    """Give a captioner whose script is `source`."""
    script = tmp_path / "script.py"
    script.write_text(source)
    monkeypatch.setattr("kohya_wrap.engines.captioning.blip.SCRIPT", script)
    return BlipCaptioner(Path(sys.executable), "blip", {})


def test_a_process_that_dies_is_said(tmp_path: Path, pictures: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it had done, its code and its last words; what was told stays told."""
    told_one = f"""print('{MARK}{{"picture": 0, "caption": "one"}}', flush=True)"""
    captioner = stand_in(tmp_path, monkeypatch, f"{told_one}\nraise SystemExit('CUDA error: device lost')")
    heard: list[str] = []
    with pytest.raises(DatasetError, match="after 1 of 4 pictures: CUDA error: device lost"):
        captioner(pictures, SHORT, on_caption=lambda path, text, why: heard.append(text))
    assert heard == ["one"]


def test_an_exception_stops_the_process(tmp_path: Path, pictures: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk where the caption goes: the process does not work on for nobody."""
    source = f"""import time\nprint('{MARK}{{"picture": 0, "caption": "one"}}', flush=True)\ntime.sleep(60)"""
    captioner = stand_in(tmp_path, monkeypatch, source)

    def full(path: Path, text: str, why: str) -> None:
        raise DatasetError("full")

    began = time.monotonic()
    with pytest.raises(DatasetError, match="full"):
        captioner(pictures, SHORT, on_caption=full)
    assert time.monotonic() - began < 30, "it slept on"
