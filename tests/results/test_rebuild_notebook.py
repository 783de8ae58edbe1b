"""A preset from a saved Lora_Trainer notebook."""

import json
from pathlib import Path
from typing import Any

import pytest

from kohya_wrap import presets
from kohya_wrap.errors import PresetError
from kohya_wrap.presets import Given
from kohya_wrap.results.rebuild import given_by_notebook

MAIN = """
#@title ## Train
project_name = "my_fox" #@param {type:"string"}
folder_structure = "Organize by category (MyDrive/lora_training/datasets/project_name)" #@param ["Organize by …"]
training_model = "AnyLora (AnyLoRA_noVae_fp16-pruned.ckpt)" #@param ["Anime (…)", "AnyLora (…)"]
optional_custom_training_model_url = "" #@param {type:"string"}
resolution = 768 #@param {type:"slider", min:512, max:1024, step:128}
shuffle_tags = False #@param {type:"boolean"}
activation_tags = "2" #@param [0,1,2,3]
  unet_lr = 3e-4 #@param {type:"number"}
lr_warmup_ratio = 0.0 #@param {type:"slider", min:0.0, max:0.5, step:0.01}
how_many = 7 #@param {type:"number"}
seed = 42
"""
OPTIMIZER = """
optimizer = "Prodigy" #@param ["AdamW8bit", "Prodigy"]
optimizer_args = "decouple=True betas=[0.9,0.99]" #@param {type:"string"}
"""


def notebook(path: Path, *cells: tuple[str, int | None], kind: str = "code") -> Path:
    """Write a notebook of cells, each a text and how often it was run; sources as lists of lines, as Jupyter does."""
    written: list[dict[str, Any]] = [
        {"cell_type": kind, "execution_count": count, "source": text.splitlines(keepends=True)} for text, count in cells
    ]
    path.write_text(json.dumps({"cells": written, "nbformat": 4}), encoding="utf-8")
    return path


def given_of(folder: Path, *cells: tuple[str, int | None]) -> Given:
    return given_by_notebook("fox", notebook(folder / "n.ipynb", *cells))


def test_the_form_s_values_are_the_preset_s(tmp_path: Path) -> None:
    """Texts of choices become names, texts of numbers numbers, and 0 stays a value."""
    given = given_of(tmp_path, (MAIN, None))
    assert dict(given.values) == {
        "setup.folder_structure": "category",
        "setup.training_model": "AnyLora",
        "setup.optional_custom_training_model_url": "",
        "processing.resolution": 768,
        "processing.shuffle_tags": False,
        "processing.activation_tags": 2,
        "learning.unet_lr": 3e-4,
        "learning.lr_warmup_ratio": 0.0,
        "steps.how_many": 7,
    }
    assert any("my_fox" in note for note in given.notes)


def test_the_preset_loads(tmp_path: Path) -> None:
    """Written, it is a preset with these values."""
    path = presets.new_preset("fox", target_dir=tmp_path / "presets", given=given_of(tmp_path, (MAIN, None)))
    assert presets.load(path).config.learning.unet_lr == 3e-4


@pytest.mark.parametrize("count", [None, 3])
def test_an_optional_cell_counts_where_it_was_run(tmp_path: Path, count: int | None) -> None:
    """Its form shows Prodigy whether it was used or not; the saved execution count tells."""
    given = given_of(tmp_path, (MAIN, 1), (OPTIMIZER, count))
    if count:
        assert given.values["optimizer.optimizer"] == "Prodigy"
        assert given.values["optimizer.optimizer_args"] == ("decouple=True", "betas=[0.9,0.99]")
    else:
        assert "optimizer.optimizer" not in given.values
        assert any("was not run" in note and "optimizer" in note for note in given.notes)


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ('how_many = __import__("os").getpid() #@param {type:"number"}', "is computed"),
        ("how_many = -3 #@param", "how_many cannot be -3"),
        ('lr_scheduler = "one" #@param', "lr_scheduler cannot be 'one'"),
        ("nonsense = 3 #@param", "No fields of a preset: nonsense"),
        ("resolution = 500 #@param", "resolution cannot be 500"),
    ],
)
def test_what_a_preset_cannot_hold_is_said(tmp_path: Path, line: str, note: str) -> None:
    """Nothing is executed; a wrong or computed value becomes a note."""
    given = given_of(tmp_path, (f'project_name = "x" #@param\n{line}\n', 1))
    assert any(note in text for text in given.notes), given.notes
    assert given.values == {}


def test_text_cells_are_no_code(tmp_path: Path) -> None:
    """What only explains is not read."""
    with pytest.raises(PresetError, match="has no fields"):
        given_by_notebook("fox", notebook(tmp_path / "n.ipynb", (MAIN, 1), kind="markdown"))


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"cells": 3}', "[" * 100_000, '{"cells": [3, {"source": 5}]}', "\udcff"]
)
def test_what_is_no_notebook_is_refused(tmp_path: Path, content: str) -> None:
    """Each with what to do."""
    path = tmp_path / "n.ipynb"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(PresetError) as caught:
        given_by_notebook("fox", path)
    assert "Lora_Trainer" in caught.value.todo


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A path that leads nowhere is this package's own error."""
    with pytest.raises(PresetError, match="cannot be read"):
        given_by_notebook("fox", tmp_path / "n.ipynb")


def test_a_line_without_end_is_read_in_time(tmp_path: Path) -> None:
    """A megabyte of blanks before a mark that never comes."""
    with pytest.raises(PresetError):
        given_of(tmp_path, ("how_many =" + " " * 1_000_000, 1))
