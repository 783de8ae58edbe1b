"""Where a base model is, found out without the network."""

import socket
from pathlib import Path

import pytest
from model_files import LORA, NO_VAE, SD2, SD15, SDXL, VAE, Shapes, write_diffusers, write_model

from kohya_wrap.base_models import Located, locate, obtain
from kohya_wrap.base_models.errors import (
    HashMismatchError,
    NotAModelError,
    NotFoundError,
    PickleRefusedError,
    UnsupportedFamilyError,
)
from kohya_wrap.config import SetupConfig
from kohya_wrap.paths import CachePaths


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("locate must not use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def find(tmp_path: Path, link: str, **setup: object) -> Located:
    fields = {"project_name": "p", "optional_custom_training_model_url": link, **setup}
    return locate(SetupConfig.model_validate(fields), root=tmp_path, cache=CachePaths(tmp_path / "cache"))


def test_a_local_file_is_found_below_the_root(tmp_path: Path) -> None:
    """A relative path starts at the root, and the answer is absolute."""
    path = write_model(tmp_path / "models" / "my model.safetensors", SD15)
    file = find(tmp_path, "models/my model.safetensors").file
    assert file is not None
    assert (file.path, file.format, file.family, file.size) == (path, "safetensors", "sd15", path.stat().st_size)


def test_obtain_adds_the_hash_of_a_local_file(tmp_path: Path) -> None:
    """What is handed to a run carries the file's SHA256."""
    import hashlib

    path = write_model(tmp_path / "m.safetensors", SD15)
    file = obtain(find(tmp_path, "m.safetensors"), cache=CachePaths(tmp_path / "cache"), say=print)
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_diffusers_folder_is_found(tmp_path: Path) -> None:
    """A folder with model_index.json is a base model."""
    write_diffusers(tmp_path / "base")
    file = find(tmp_path, "base").file
    assert file is not None
    assert (file.format, file.family) == ("diffusers", "sd15")


def test_the_toy_base_needs_nothing_on_disk(tmp_path: Path) -> None:
    """ "Tiny random" is known before it is made; the embedded engine makes it."""
    file = find(tmp_path, "", training_model="Tiny random").file
    assert file is not None
    assert file.builtin
    assert not file.path.exists()


def test_a_custom_base_wins_over_the_toy_base(tmp_path: Path) -> None:
    """optional_custom_training_model_url wins over training_model."""
    write_model(tmp_path / "m.safetensors", SD15)
    file = find(tmp_path, "m.safetensors", training_model="Tiny random").file
    assert file is not None
    assert not file.builtin


def test_a_missing_path_names_the_nearest_file(tmp_path: Path) -> None:
    """A misspelt name gets a suggestion."""
    write_model(tmp_path / "crosskemono25.safetensors", SD15)
    located = find(tmp_path, "./croskemono25.safetensors")
    assert isinstance(located.failure, NotFoundError)
    assert "did you mean crosskemono25.safetensors?" in str(located.problems[0])
    assert located.problems[0].where == "setup.optional_custom_training_model_url"


def test_a_pickle_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """A .ckpt is never looked into, and the message says how to have it converted."""
    (tmp_path / "m.ckpt").write_bytes(b"PK\x03\x04")
    located = find(tmp_path, "m.ckpt")
    assert isinstance(located.failure, PickleRefusedError)
    assert "setup.allow_pickle = true" in located.problems[0].todo


def test_a_diffusers_folder_of_pickles_is_refused(tmp_path: Path) -> None:
    """Weights that are there as .bin only are refused: loading them can run code."""
    write_diffusers(tmp_path / "base", weights="diffusion_pytorch_model.bin")
    assert isinstance(find(tmp_path, "base").failure, PickleRefusedError)


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        (SDXL, "Stable Diffusion XL; this preset trains Stable Diffusion 1.x"),
        (SD2, "Stable Diffusion 2.x; this preset trains Stable Diffusion 1.x"),
    ],
)
def test_another_family_is_refused_in_one_sentence(shapes: Shapes, sentence: str, tmp_path: Path) -> None:
    """The family of the file and the family of the preset are both named."""
    write_model(tmp_path / "m.safetensors", shapes)
    failure = find(tmp_path, "m.safetensors").failure
    assert isinstance(failure, UnsupportedFamilyError)
    assert sentence in str(failure)


def test_sd2_is_accepted_when_the_preset_says_so(tmp_path: Path) -> None:
    """custom_model_is_based_on_sd2 changes what is expected."""
    write_model(tmp_path / "m.safetensors", SD2)
    file = find(tmp_path, "m.safetensors", custom_model_is_based_on_sd2=True).file
    assert file is not None
    assert file.family == "sd2"


def test_sdxl_is_accepted_when_the_preset_says_so(tmp_path: Path) -> None:
    """custom_model_is_sdxl changes what is expected, and its absence is what a message tells to set."""
    write_model(tmp_path / "m.safetensors", SDXL)
    file = find(tmp_path, "m.safetensors", custom_model_is_sdxl=True).file
    assert file is not None
    assert file.family == "sdxl"
    assert "custom_model_is_sdxl = true" in str(find(tmp_path, "m.safetensors").failure)


@pytest.mark.parametrize(
    ("shapes", "words"), [(LORA, "a LoRA, not a base model"), (VAE, "a VAE, not a base model"), (NO_VAE, "without VAE")]
)
def test_a_file_that_is_no_base_model_is_refused(shapes: Shapes, words: str, tmp_path: Path) -> None:
    """A LoRA or a VAE is refused before launch, under its own name."""
    write_model(tmp_path / "m.safetensors", shapes)
    failure = find(tmp_path, "m.safetensors").failure
    assert isinstance(failure, NotAModelError)
    assert words in str(failure)


def test_a_wrong_hash_is_refused_with_both_hashes(tmp_path: Path) -> None:
    """base_model_sha256 is checked for local files too."""
    write_model(tmp_path / "m.safetensors", SD15)
    failure = find(tmp_path, "m.safetensors", base_model_sha256="0" * 64).failure
    assert isinstance(failure, HashMismatchError)
    assert "0" * 64 in str(failure)


def test_the_right_hash_is_accepted_and_kept(tmp_path: Path) -> None:
    """A local file that was checked carries its hash."""
    import hashlib

    digest = hashlib.sha256(write_model(tmp_path / "m.safetensors", SD15).read_bytes()).hexdigest()
    file = find(tmp_path, "m.safetensors", base_model_sha256=digest).file
    assert file is not None
    assert file.sha256 == digest


@pytest.mark.parametrize("name", ["Anime", "AnyLora", "Stable Diffusion"])
def test_the_notebooks_names_are_planned_with_their_hashes(name: str, tmp_path: Path) -> None:
    """Each name of the notebook has a link and a known hash."""
    download = find(tmp_path, "", training_model=name).download
    assert download is not None
    assert len(download.sha256) == 64
    assert download.name.endswith(".safetensors")
