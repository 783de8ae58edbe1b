"""The presets that come with kohya_wrap."""

import subprocess
import sys
from pathlib import Path

import pytest

from kohya_wrap import presets
from kohya_wrap.paths import package_data

SHIPPED = ("character", "character-prodigy", "demo", "one-image", "one-image-variants", "sdxl", "style-locon")


def test_these_are_listed() -> None:
    """Each has a sentence that says what it is."""
    listed = presets.list_presets([package_data("presets")])
    assert tuple(entry.name for entry in listed) == SHIPPED
    assert all(entry.description.endswith(".") and len(entry.description) > 20 for entry in listed)


@pytest.mark.parametrize("name", SHIPPED)
def test_each_loads_without_a_warning(name: str) -> None:
    """A shipped preset is sound as it is."""
    assert presets.load(name, search=[package_data("presets")]).warnings == ()


@pytest.mark.parametrize("name", SHIPPED)
def test_each_opens_with_the_command_that_uses_it(name: str) -> None:
    """The first line can be copied into a terminal."""
    first = (package_data("presets") / f"{name}.toml").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(f"#   make train PRESET={name}")


def test_one_image_is_the_tutorial() -> None:
    """What the tutorial sets, and the notebook's default for everything else."""
    loaded = presets.load("one-image", search=[package_data("presets")])
    written = {where for where, origin in loaded.origins.items() if origin != "default"}
    assert written == {
        "setup.project_name",
        "setup.optional_custom_training_model_url",
        "setup.base_model_sha256",
        "processing.flip_aug",
        "dataset.images",
        "dataset.tagger",
        "dataset.activation_tag",
        "samples.prompts",
        "samples.weights",
    }
    setup = loaded.config.setup
    assert setup.project_name == "lakto-lora"
    assert setup.optional_custom_training_model_url == "https://civitai.com/models/11888?modelVersionId=47368"
    assert setup.base_model_sha256 == "167e5bcb375b6d9464105fdd035af34359c01b0484acb6bb44837999ab6e4192"
    assert (loaded.config.processing.flip_aug, loaded.config.dataset.activation_tag) == (True, "lakto_tiger")
    steps = loaded.config.steps
    assert 1 * steps.num_repeats * steps.how_many // steps.train_batch_size == 50


def test_demo_needs_nothing_from_outside() -> None:
    """The embedded engine, a made base, drawn pictures: 4 x 5 / 2 x 4 = 40 steps."""
    config = presets.load("demo", search=[package_data("presets")]).config
    assert (config.engine.name, config.setup.training_model) == ("embedded", "Tiny random")
    assert (config.setup.project_name, config.dataset.images) == ("demo", "builtin:demo")
    assert config.processing.resolution == 64
    assert 4 * config.steps.num_repeats // config.steps.train_batch_size * config.steps.how_many == 40


def test_the_other_three_are_what_they_are_called() -> None:
    """LoCon for styles, Prodigy with its overrides, the notebook's own values for characters."""
    style = presets.load("style-locon", search=[package_data("presets")]).config
    prodigy = presets.load("character-prodigy", search=[package_data("presets")]).config
    character = presets.load("character", search=[package_data("presets")])
    assert style.structure.lora_type == "LoCon"
    assert (prodigy.optimizer.optimizer, prodigy.learning.unet_lr) == ("Prodigy", 0.5)
    assert prodigy.structure.network_alpha == prodigy.structure.network_dim
    bare = type(character.config).model_validate({"setup": {"project_name": "my-character"}})
    assert character.config == bare


START = """
import time
started = time.process_time()
import pydantic.main
loaded = time.process_time()
import kohya_wrap.config
from kohya_wrap import presets
presets.load("demo", overrides=["training.seed=1"])
print(time.process_time() - started, loaded - started)
"""


def test_config_and_a_preset_are_ready_in_150_ms(tmp_path: Path) -> None:
    """The best of five, in CPU time; on a slower machine, three times what pydantic alone takes there."""

    def start() -> tuple[float, float]:
        done = subprocess.run((sys.executable, "-c", START), capture_output=True, text=True, check=True, cwd=tmp_path)
        total, pydantic_alone = (float(number) for number in done.stdout.split())
        return total, pydantic_alone

    total, pydantic_alone = min(start() for _ in range(5))
    assert total < max(0.15, 3 * pydantic_alone)
