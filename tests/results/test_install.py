"""lora install: a LoRA at a web UI's place, with what its card shows, and nothing of the user's written over."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers_lora import SAID, lora_of, write_lora
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from kohya_wrap.errors import BadResultError, OutputError
from kohya_wrap.results.install import Installing, install


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """The tutorial's LoRA, as sd-scripts describes it."""
    return write_lora(tmp_path / "lakto-lora-10.safetensors", lora_of(), SAID)


@pytest.fixture
def ui(tmp_path: Path) -> Path:
    """A web UI's folder of LoRAs."""
    folder = tmp_path / "ui/Lora"
    folder.mkdir(parents=True)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_lora_with_its_side_files(lora: Path, ui: Path, tmp_path: Path) -> None:
    """The file as it is, the words that call it, the weight, and a picture."""
    preview = tmp_path / "drawn.png"
    Image.new("RGB", (8, 8)).save(preview)
    done = install(Installing(lora, ui, weight=0.7, preview=preview))
    assert names(ui) == ["lakto-lora-10.json", "lakto-lora-10.png", "lakto-lora-10.safetensors"]
    assert done.target.read_bytes() == lora.read_bytes()
    said = json.loads((ui / "lakto-lora-10.json").read_text(encoding="utf-8"))
    assert (said["activation text"], said["preferred weight"], said["sd version"]) == ("lakto_tiger", 0.7, "SD1")
    assert said["description"] == "tiger, epoch 10, 50 steps, trained on base.safetensors"
    assert done.prompt == "lakto_tiger, <lora:lakto-lora-10:0.7>"


def test_again_nothing_is_written(lora: Path, ui: Path) -> None:
    """The same file stays, and so do side files that a person has edited."""
    install(Installing(lora, ui))
    (ui / "lakto-lora-10.json").write_text('{"notes": "mine"}')
    done = install(Installing(lora, ui))
    assert done.new == ()
    assert (ui / "lakto-lora-10.json").read_text() == '{"notes": "mine"}'


def test_a_card_that_shows_a_picture_keeps_it(lora: Path, ui: Path, tmp_path: Path) -> None:
    """Under any of the names that the WebUI looks for."""
    (ui / "lakto-lora-10.preview.png").write_bytes(b"mine")
    preview = tmp_path / "drawn.png"
    Image.new("RGB", (8, 8)).save(preview)
    install(Installing(lora, ui, preview=preview))
    assert "lakto-lora-10.png" not in names(ui)


def test_another_file_of_that_name_stays(lora: Path, ui: Path) -> None:
    """It is said, with the way out; the way out works."""
    (ui / lora.name).write_bytes(b"another")
    with pytest.raises(OutputError, match="is another file"):
        install(Installing(lora, ui))
    assert names(ui) == [lora.name]
    install(Installing(lora, ui, name="lakto-2"))
    assert (ui / lora.name).read_bytes() == b"another"
    assert (ui / "lakto-2.safetensors").read_bytes() == lora.read_bytes()


def test_a_name_may_be_typed_with_its_ending(lora: Path, ui: Path) -> None:
    """It is not written twice; other dots belong to the name."""
    done = install(Installing(lora, ui, name="v1.5.safetensors"))
    assert names(ui) == ["v1.5.json", "v1.5.safetensors"]
    assert done.tag == "<lora:v1.5:0.8>"


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "BMP"])
def test_a_card_s_picture_is_a_png(lora: Path, ui: Path, tmp_path: Path, kind: str) -> None:
    """Another kind is turned into one, no larger than a card shows."""
    preview = tmp_path / "train.any"
    Image.new("RGB", (2000, 1000), "orange").save(preview, kind)
    install(Installing(lora, ui, preview=preview))
    with Image.open(ui / "lakto-lora-10.png") as image:
        assert (image.format, image.size) == ("PNG", (768, 384))


def test_a_drawn_picture_keeps_its_parameters(lora: Path, ui: Path, tmp_path: Path) -> None:
    """A PNG is taken byte for byte."""
    preview = tmp_path / "drawn.png"
    info = PngInfo()
    info.add_text("parameters", "a tiger")
    Image.new("RGB", (8, 8)).save(preview, pnginfo=info)
    install(Installing(lora, ui, preview=preview))
    assert (ui / "lakto-lora-10.png").read_bytes() == preview.read_bytes()


def test_a_picture_that_is_none_is_left_out(lora: Path, ui: Path, tmp_path: Path) -> None:
    """The LoRA comes all the same."""
    (tmp_path / "train.jpg").write_bytes(b"no picture")
    install(Installing(lora, ui, preview=tmp_path / "train.jpg"))
    assert names(ui) == ["lakto-lora-10.json", "lakto-lora-10.safetensors"]


def test_what_a_stranger_wrote_is_still_json(ui: Path, tmp_path: Path) -> None:
    """Half characters in the metadata cannot be UTF-8, and are replaced."""
    said = {**SAID, "modelspec.trigger_phrase": "wolf\ud83d"}
    install(Installing(write_lora(tmp_path / "odd.safetensors", lora_of(), said), ui))
    assert json.loads((ui / "odd.json").read_bytes())["activation text"] == "wolf?"


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_a_weight_is_a_number(lora: Path, ui: Path, weight: float) -> None:
    """What is none would make a card that the WebUI cannot read."""
    with pytest.raises(OutputError, match="is no weight"):
        install(Installing(lora, ui, weight=weight))
    assert names(ui) == []


def test_a_link_to_nowhere_is_not_written_through(lora: Path, ui: Path) -> None:
    """It is the user's, and leads to where a disk may be missing."""
    (ui / lora.name).symlink_to(ui / "elsewhere.safetensors")
    with pytest.raises(OutputError, match="is another file"):
        install(Installing(lora, ui))
    assert names(ui) == [lora.name]


def test_what_cannot_be_written_leaves_nothing(lora: Path, ui: Path) -> None:
    """A full disk, or one that is read only; here a limit on the size of files."""
    script = (
        "import resource, signal, sys; from pathlib import Path;"
        "from kohya_wrap.results.install import Installing, install;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "install(Installing(Path(sys.argv[1]), Path(sys.argv[2])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(lora), str(ui)], capture_output=True, text=True, check=False
    )
    assert "OutputError" in done.stderr
    assert "cannot be written" in done.stderr
    assert names(ui) == []


def test_a_link_is_the_same_file(lora: Path, ui: Path) -> None:
    """On one disk."""
    install(Installing(lora, ui, link=True))
    assert (ui / lora.name).stat().st_ino == lora.stat().st_ino


def test_a_dry_run_writes_nothing(lora: Path, ui: Path) -> None:
    """It names what would come."""
    assert len(install(Installing(lora, ui), dry_run=True).new) == 2
    assert names(ui) == []


@pytest.mark.parametrize("name", ["../up", "/abs", ".hidden", "a/b", "a:b", "a>b", "a\nb", "a "])
def test_names_stay_in_the_folder(lora: Path, ui: Path, name: str) -> None:
    """No name leads out of it, or hides, or ends <lora:NAME:…> before its time."""
    with pytest.raises(OutputError):
        install(Installing(lora, ui, name=name))
    assert names(ui) == []


def test_a_folder_that_is_not_there(lora: Path, tmp_path: Path) -> None:
    """It is not made: a misspelt one would look like success."""
    with pytest.raises(OutputError, match="is no folder"):
        install(Installing(lora, tmp_path / "nowhere"))


def test_what_is_no_lora(tmp_path: Path, ui: Path) -> None:
    """Nothing of it gets into the folder."""
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    with pytest.raises(BadResultError):
        install(Installing(cut, ui))
    assert names(ui) == []
