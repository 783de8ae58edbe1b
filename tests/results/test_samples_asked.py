"""What a preset asks to be drawn, before anything is trained."""

from pathlib import Path

import pytest

from kohya_wrap import presets
from kohya_wrap.paths import ProjectPaths, package_data
from kohya_wrap.results.samples.asked import prompts_of, sample_count, sample_problems
from kohya_wrap.sd_scripts.job import StepPlan

STEPS = StepPlan(
    batches_per_epoch=10, epochs=10, total_steps=100, planned_steps=100, warmup_steps=0, steps_per_epoch=10
)


@pytest.mark.parametrize("name", ["character", "sdxl"])
def test_every_family_that_is_trained_is_drawn(tmp_path: Path, name: str) -> None:
    """Two prompts at weights 0, 0.5 and 1 are six pictures, of SD 1.x as of SDXL, and nothing is warned of."""
    asked = ['samples.prompts=["a wolf", "a tiger"]']
    config = presets.load(name, search=[package_data("presets")], overrides=asked).config
    prompts = prompts_of(config)
    assert sample_problems(config, ProjectPaths(tmp_path, "tiger"), STEPS, prompts) == ()
    assert sample_count(config, STEPS, prompts) == 6


def test_sdxl_draws_as_large_as_it_was_made() -> None:
    """Its preset asks for a megapixel where a prompt does not say, and SD 1.x for 512."""
    sizes = {}
    for name in ("character", "sdxl"):
        overrides = ['samples.prompts=["a wolf"]']
        [prompt] = prompts_of(presets.load(name, search=[package_data("presets")], overrides=overrides).config)
        sizes[name] = (prompt.width, prompt.height)
    assert sizes == {"character": (512, 512), "sdxl": (1024, 1024)}
