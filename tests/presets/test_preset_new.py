"""A new preset to start from."""

from pathlib import Path

import pytest
from preset_helpers import NAMED, write

from kohya_wrap import presets
from kohya_wrap.config import TrainConfig
from kohya_wrap.errors import OutputError, PresetError


def test_a_new_preset_loads_to_what_it_extends(tmp_path: Path) -> None:
    """Before anything is changed it is the other preset under its own project name."""
    path = presets.new_preset("mine", extends="character", target_dir=tmp_path / "presets")
    assert path == tmp_path / "presets" / "mine.toml"
    loaded, base = presets.load(path), presets.load("character", overrides=["setup.project_name=mine"])
    assert loaded.config == base.config
    assert loaded.warnings == ()


def test_it_opens_with_the_command_and_explains_every_field(tmp_path: Path) -> None:
    """Each field of the tables most people use stands there, commented out, below its docstring."""
    text = presets.new_preset("mine", target_dir=tmp_path).read_text(encoding="utf-8")
    assert text.splitlines()[0] == "#   make train PRESET=mine"
    for table in ("setup", "processing", "steps", "learning", "structure", "optimizer", "dataset"):
        assert f"\n[{table}]\n" in text
        for key in TrainConfig.model_fields[table].annotation.model_fields:  # type: ignore[union-attr]
            assert f"\n# {key} = " in text or f"\n{key} = " in text
    assert "Learning rate of the U-Net's LoRA." in text


def test_uncommented_lines_are_valid(tmp_path: Path) -> None:
    """Removing the # before every value gives a preset that still loads."""
    path = presets.new_preset("mine", extends="style-locon", target_dir=tmp_path)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(_uncomment(line) for line in lines), encoding="utf-8")
    assert presets.load(path).config == presets.load("style-locon", overrides=["setup.project_name=mine"]).config


def _uncomment(line: str) -> str:
    key, equals, _ = line.removeprefix("# ").partition(" = ")
    return line.removeprefix("# ") if equals and key.isidentifier() else line


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    """The second call with one name is an error, and the file stays as it is."""
    path = presets.new_preset("mine", target_dir=tmp_path)
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(PresetError, match="is there already"):
        presets.new_preset("mine", target_dir=tmp_path)
    assert path.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["my lora", "a/b", "", "-x", "../up"])
def test_a_name_that_is_no_project_name_is_refused(name: str, tmp_path: Path) -> None:
    """The name becomes the project's, so it keeps the project's rules; nothing is written."""
    with pytest.raises(PresetError):
        presets.new_preset(name, target_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_it_may_extend_a_file(tmp_path: Path) -> None:
    """A path is written as seen from the new preset's folder."""
    base = write(tmp_path, "base", NAMED + "[steps]\nnum_repeats = 3\n")
    path = presets.new_preset("mine", extends=str(base), target_dir=tmp_path / "presets")
    assert 'extends = "../base.toml"' in path.read_text(encoding="utf-8")
    assert presets.load(path).config.steps.num_repeats == 3


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    """A file in the way of the folder is said, not raised as an OSError."""
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(OutputError):
        presets.new_preset("mine", target_dir=blocked / "presets")


GIVEN = presets.Given(
    source="the picture a\nb.png",
    values={
        "steps.how_many": 7,
        "training.seed": 0,
        "samples.prompts": ("one line", 'a """fox"""\n\\back\nNegative prompt: \x07'),
        "sd_scripts.noise_offset": 0.1,
    },
    notes=("the pictures are not known", "x" * 300),
)


def test_given_values_are_set_and_load(tmp_path: Path) -> None:
    """They stand in their tables, with texts of several lines as they are; everything else is inherited."""
    config = presets.load(presets.new_preset("mine", target_dir=tmp_path, given=GIVEN)).config
    assert (config.steps.how_many, config.training.seed, config.samples.prompts, dict(config.sd_scripts)) == (
        7,
        0,
        GIVEN.values["samples.prompts"],
        {"noise_offset": 0.1},
    )
    assert config.learning == presets.load("one-image", overrides=["setup.project_name=x"]).config.learning


def test_what_it_was_made_from_and_what_is_not_known_stand_at_the_top(tmp_path: Path) -> None:
    """As comments, whatever a stranger's file put into them."""
    text = presets.new_preset("mine", target_dir=tmp_path, given=GIVEN).read_text(encoding="utf-8")
    head = text[: text.index("extends =")]
    assert "# Made from the picture a b.png.\n" in head
    assert "# - the pictures are not known\n" in head
    assert all(line.startswith("#") or not line for line in head.split("\n"))
