"""A preset written out, with where each value came from."""

import tomllib
from pathlib import Path

import pytest
from preset_helpers import NAMED, write

from kohya_wrap import presets

ODD = "C:\\new \"quoted\" 'single' 猫 \t tab \x7f # no comment\nnext line"


def test_every_field_is_shown_with_its_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Default, file, --set and rule each stand behind the value they gave."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "top", NAMED + '[optimizer]\noptimizer = "Prodigy"\n')
    lines = presets.show(presets.load("top.toml", overrides=["training.seed=7"])).splitlines()
    origin = {line.partition(" = ")[0]: line.rpartition("  # ")[2] for line in lines if " = " in line}
    assert origin["optimizer"] == "top.toml"
    assert origin["seed"] == "--set"
    assert origin["resolution"] == "default"
    assert origin["unet_lr"].startswith("rule: override_values_for_dadapt_and_prodigy")


@pytest.mark.parametrize("name", ["demo", "one-image", "character", "character-prodigy", "style-locon"])
def test_what_is_shown_is_a_preset_that_loads_to_the_same(name: str, tmp_path: Path) -> None:
    """The text can be saved and used: the same config, without a warning."""
    loaded = presets.load(name)
    again = presets.load(write(tmp_path, "again", presets.show(loaded)))
    assert again.config == loaded.config
    assert again.warnings == loaded.warnings


def test_any_text_survives(tmp_path: Path) -> None:
    """Quotes, backslashes, Japanese, control characters and line ends come back as they were."""
    overrides = {
        "extras.custom_dataset": ODD,
        "dataset.images": [ODD, "b"],
        "sd_scripts.comment": ODD,
        "sd_scripts.a b": 0.5,
        "learning.unet_lr": 1e-05,
    }
    loaded = presets.load(write(tmp_path, "top", NAMED), overrides=overrides)
    shown = tomllib.loads(presets.show(loaded))
    assert shown["extras"]["custom_dataset"] == ODD
    assert shown["dataset"]["images"] == [ODD, "b"]
    assert shown["sd_scripts"] == {"comment": ODD, "a b": 0.5}
    assert shown["learning"]["unet_lr"] == 1e-05
