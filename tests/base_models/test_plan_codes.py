"""What `check` and `train` find wrong with a base model before anything runs has the code of its kind."""

from pathlib import Path

import pytest
from model_files import LORA, SD15, SDXL, write_model
from PIL import Image

from kohya_wrap.base_models import access
from kohya_wrap.base_models.errors import (
    HashMismatchError,
    LinkError,
    NotAModelError,
    NotFoundError,
    PickleRefusedError,
    UnsupportedFamilyError,
)
from kohya_wrap.errors import BaseModelError, DatasetError
from kohya_wrap.paths import CachePaths
from kohya_wrap.pipeline import plan

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def test_every_class_has_its_own_code_and_the_readme_has_them_all() -> None:
    """A user finds the code that a script met, with what to do."""
    codes = [kind.exit_code for kind in BaseModelError.__subclasses__()]
    assert len(set(codes)) == len(codes) >= 20
    assert [code for code in codes if f"\n| {code} |" not in README] == []


def test_every_variable_is_in_the_readme() -> None:
    """The address of each service, and each token."""
    said = (access.__doc__ or "").splitlines()
    names = {line.split()[0] for line in said if line[:1].isupper() and line.split()[0].isupper()}
    assert {"HF_ENDPOINT", "CIVITAI_API_TOKEN", "KOHYA_WRAP_CIVITAI_URL"} <= names
    assert [name for name in sorted(names) if f"`{name}`" not in README] == []


def raise_what_is_wrong(folder: Path, *sets: str, caption: str = "lakto_tiger, red eyes") -> None:
    picture = folder / "tiger.png"
    Image.new("RGB", (600, 600), (200, 80, 20)).save(picture)
    picture.with_suffix(".txt").write_text(caption, encoding="utf-8")
    overrides = (f"dataset.images={picture}", "setup.base_model_sha256=", *sets)
    plan("one-image", root=folder, overrides=overrides, cache=CachePaths(folder / "cache")).findings.raise_errors()


@pytest.mark.parametrize(
    ("text", "error", "code"),
    [
        ("xl.safetensors", UnsupportedFamilyError, 54),
        ("lora.safetensors", NotAModelError, 53),
        ("old.ckpt", PickleRefusedError, 55),
        ("nowhere.safetensors", NotFoundError, 45),
        ("http://example.org/m.safetensors", LinkError, 58),
    ],
)
def test_each_kind_has_its_code(text: str, error: type[BaseModelError], code: int, tmp_path: Path) -> None:
    """A script can tell a LoRA given for a base model from one of the wrong family."""
    write_model(tmp_path / "xl.safetensors", SDXL)
    write_model(tmp_path / "lora.safetensors", LORA)
    (tmp_path / "old.ckpt").write_bytes(b"PK\x03\x04")
    with pytest.raises(error) as caught:
        raise_what_is_wrong(tmp_path, f"setup.optional_custom_training_model_url={text}")
    assert caught.value.exit_code == code
    assert caught.value.problems[0].todo


def test_another_hash_than_the_pinned_one(tmp_path: Path) -> None:
    """Both hashes are in the sentence."""
    path = write_model(tmp_path / "base.safetensors", SD15)
    sets = (f"setup.optional_custom_training_model_url={path}", f"setup.base_model_sha256={'0' * 64}")
    with pytest.raises(HashMismatchError, match="0" * 64) as caught:
        raise_what_is_wrong(tmp_path, *sets)
    assert caught.value.exit_code == 52


def test_a_base_model_beside_other_problems_is_one_of_several(tmp_path: Path) -> None:
    """All problems at once, with the code of the first room."""
    sets = ("setup.optional_custom_training_model_url=nowhere.safetensors", "dataset.images=nothing.png")
    with pytest.raises(DatasetError, match="nowhere"):
        raise_what_is_wrong(tmp_path, *sets)
