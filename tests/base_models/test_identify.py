"""What a model file is, by its header alone."""

from pathlib import Path

import pytest
from model_files import (
    DIFFUSERS_VAE,
    EMBEDDING,
    FLUX,
    INPAINTING,
    LORA,
    NO_VAE,
    PEFT_LORA,
    SD2,
    SD15,
    SDXL,
    UNET_ONLY,
    UPSCALER,
    VAE,
    Shapes,
    safetensors_bytes,
    write_diffusers,
    write_model,
)

from kohya_wrap.base_models.errors import NotAModelError
from kohya_wrap.base_models.header import MAX_HEADER_BYTES, read_header
from kohya_wrap.base_models.identify import identify


@pytest.mark.parametrize(("shapes", "family"), [(SD15, "sd15"), (SD2, "sd2"), (SDXL, "sdxl"), (FLUX, "flux")])
def test_a_checkpoint_is_known_by_its_u_net(shapes: Shapes, family: str, tmp_path: Path) -> None:
    """The width of the first cross-attention, or the names of the blocks, tell the family."""
    identity = identify(write_model(tmp_path / "m.safetensors", shapes))
    assert (identity.kind, identity.family) == ("checkpoint", family)


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [
        (LORA, "lora"),
        (PEFT_LORA, "lora"),
        (VAE, "vae"),
        (DIFFUSERS_VAE, "vae"),
        (EMBEDDING, "embedding"),
        (UNET_ONLY, "unet"),
        (UPSCALER, "other"),
    ],
)
def test_other_kinds_of_file_are_told_apart(shapes: Shapes, kind: str, tmp_path: Path) -> None:
    """A LoRA, a VAE, an embedding or a bare U-Net is named for what it is."""
    assert identify(write_model(tmp_path / "m.safetensors", shapes)).kind == kind


def test_a_single_file_vae_in_diffusers_layout_is_noticed(tmp_path: Path) -> None:
    """sd-scripts reads only the original layout from a single VAE file, so the two are told apart."""
    ours = identify(write_model(tmp_path / "a.safetensors", VAE))
    theirs = identify(write_model(tmp_path / "b.safetensors", DIFFUSERS_VAE))
    assert (ours.layout, theirs.layout) == ("ldm", "diffusers")


def test_an_inpainting_model_is_noticed(tmp_path: Path) -> None:
    """A U-Net with nine input channels is marked."""
    assert identify(write_model(tmp_path / "m.safetensors", INPAINTING)).inpainting


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    """A checkpoint without its VAE says so."""
    assert identify(write_model(tmp_path / "m.safetensors", NO_VAE)).missing == ("VAE",)


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
def test_the_numeric_type_is_that_of_the_u_net(dtype: str, tmp_path: Path) -> None:
    """The type is read from the header."""
    assert identify(write_model(tmp_path / "m.safetensors", SD15, dtype=dtype)).precision == dtype


@pytest.mark.parametrize(("width", "family"), [(768, "sd15"), (1024, "sd2"), (2048, "sdxl"), (32, "sd15")])
def test_a_diffusers_folder_is_known_by_its_config(width: int, family: str, tmp_path: Path) -> None:
    """unet/config.json tells the family; a small test base of the Stable Diffusion pipeline counts as sd15."""
    assert identify(write_diffusers(tmp_path / "base", width=width)).family == family


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "an HTML page"),
        (b"\n <html>", "an HTML page"),
        (b'{"error":"Unauthorized"}', "a JSON answer"),
        (b"PK\x03\x04" + bytes(100), "a pickle checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"),
        (b"GGUF" + bytes(60), "a GGUF file"),
        (b"", "empty"),
    ],
)
def test_what_is_no_model_is_named(content: bytes, words: str, tmp_path: Path) -> None:
    """A login page, an error answer or a renamed pickle is refused under its own name."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(NotAModelError, match=words):
        identify(path)


def test_a_header_of_over_100_mb_is_refused_unread(tmp_path: Path) -> None:
    """A file that announces a giant header is refused before it is read."""
    path = tmp_path / "m.safetensors"
    with path.open("wb") as file:
        file.write((MAX_HEADER_BYTES + 1).to_bytes(8, "little") + b"{")
        file.truncate(MAX_HEADER_BYTES + 100)
    with pytest.raises(NotAModelError, match=r"no \.safetensors file"):
        read_header(path)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_another_length_than_its_header_says_is_refused(change: int, tmp_path: Path) -> None:
    """One byte too few or too many is noticed without reading a tensor."""
    path = write_model(tmp_path / "m.safetensors", SD15)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + change)
    with pytest.raises(NotAModelError, match="cut off" if change < 0 else "followed by"):
        read_header(path)


@pytest.mark.parametrize("text", [b"{not json}", b"[]", b'{"a":1}', b'{"a":{"dtype":"F16","shape":3}}', b"[" * 5000])
def test_a_damaged_header_is_one_clear_error(text: bytes, tmp_path: Path) -> None:
    """Nonsense inside the header never becomes a foreign exception."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(NotAModelError):
        read_header(path)


def test_a_header_is_read_without_the_tensors(tmp_path: Path) -> None:
    """A sparse file of 2 GB is identified, which would not fit the test's time if it were read."""
    shapes = {**SD15, "model.diffusion_model.big": (1000, 1000, 1000)}
    whole = safetensors_bytes({name: shape for name, shape in shapes.items() if "big" not in name})
    length = int.from_bytes(whole[:8], "little")
    text = whole[8 : 8 + length]
    data = len(whole) - 8 - length
    big = b'{"model.diffusion_model.big":{"dtype":"F16","shape":[1000000000],"data_offsets":[%d,%d]},' % (
        data,
        data + 2_000_000_000,
    )
    text = big + text[1:]
    path = tmp_path / "m.safetensors"
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + data + 2_000_000_000)
    assert identify(path).family == "sd15"
