"""The model a picture was made with."""

from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from kohya_wrap.base_models.errors import NotAModelError
from kohya_wrap.base_models.picture import is_picture, model_hash

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "train.png"


def picture(path: Path, **texts: str) -> Path:
    """Write a small PNG with these text chunks."""
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text) if text.isascii() else info.add_itxt(key, text)
    Image.new("RGB", (4, 4)).save(path, "PNG", pnginfo=info)
    return path


@pytest.mark.skipif(not REAL.is_file(), reason="the shared example picture is not on this machine")
def test_the_tutorials_picture_names_its_model() -> None:
    """The real picture of the tutorial says Crosskemono 2.5."""
    assert model_hash(REAL) == "167e5bcb37"


@pytest.mark.parametrize(
    "text",
    [
        "a tiger\nNegative prompt: b\nSteps: 24, Model hash: 167e5bcb37, Model: cross",
        "虎\nSteps: 24, Model hash: 167E5BCB37",
        "Model hash: 167e5bcb37",
    ],
)
def test_the_hash_is_found_in_either_kind_of_text(text: str, tmp_path: Path) -> None:
    """Web UIs write tEXt, or iTXt when the prompt is not Latin."""
    assert model_hash(picture(tmp_path / "p.png", parameters=text)) == "167e5bcb37"


@pytest.mark.parametrize(
    "texts", [{}, {"prompt": "Model hash: 167e5bcb37"}, {"parameters": "Model hash: none, Lora hashes: x"}]
)
def test_no_hash_is_said(texts: dict[str, str], tmp_path: Path) -> None:
    """Another key or no hash is no guess."""
    with pytest.raises(NotAModelError, match="does not say which model"):
        model_hash(picture(tmp_path / "p.png", **texts))


def test_a_cut_picture_is_no_crash(tmp_path: Path) -> None:
    """Half a PNG gives what is there or the same error."""
    path = picture(tmp_path / "p.png", parameters="Model hash: 167e5bcb37")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(NotAModelError):
        model_hash(path)


def test_only_a_png_is_a_picture(tmp_path: Path) -> None:
    """The first bytes decide, not the name."""
    (tmp_path / "p.png").write_bytes(b"no picture")
    assert not is_picture(tmp_path / "p.png")
    assert is_picture(picture(tmp_path / "model.safetensors"))


@pytest.mark.parametrize("ending", ["jpg", "webp"])
@pytest.mark.parametrize("coding", ["utf-16-be", "utf-16-le", "utf-8"])
def test_a_jpeg_or_webp_says_it_in_its_exif(ending: str, coding: str, tmp_path: Path) -> None:
    """Web UIs write the same text as UserComment, in either byte order."""
    text = "wolf\nSteps: 20, Sampler: Euler a, Model hash: 167E5BCB37, Model: cross, Version: v1.9"
    exif = Image.Exif()
    head = b"ASCII\0\0\0" if coding == "utf-8" else b"UNICODE\0"
    exif.get_ifd(0x8769)[0x9286] = head + text.encode(coding)
    path = tmp_path / f"made.{ending}"
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    assert is_picture(path)
    assert model_hash(path) == "167e5bcb37"


def test_a_jpeg_without_it_is_refused(tmp_path: Path) -> None:
    """A photograph was made with no model, and a cut one says nothing."""
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "photo.jpg").read_bytes()[:30])
    for name in ("photo.jpg", "cut.jpg"):
        with pytest.raises(NotAModelError, match="does not say"):
            model_hash(tmp_path / name)
