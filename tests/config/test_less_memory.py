"""What to change when memory runs out: order, lines to paste, and where it ends."""

import tomllib

from kohya_wrap.config import TrainConfig
from kohya_wrap.config.less_memory import steps_down


def preset(**tables: dict[str, object]) -> TrainConfig:
    return TrainConfig.model_validate({"setup": {"project_name": "x"}, **tables})


def test_what_costs_least_comes_first() -> None:
    """Batch, checkpointing, latents, then resolution by resolution, then rank by rank."""
    config = preset(
        steps={"train_batch_size": 2},
        engine={"cache_latents": False},
        processing={"resolution": 512},
        structure={"network_dim": 16, "network_alpha": 8},
    )
    assert [step.overrides[0] for step in steps_down(config)] == [
        "steps.train_batch_size=1",
        "engine.gradient_checkpointing=true",
        "engine.cache_latents=true",
        "processing.resolution=384",
        "processing.resolution=256",
        "structure.network_dim=8",
        "structure.network_dim=4",
    ]


def test_the_scale_of_a_smaller_lora_stays() -> None:
    """network_alpha goes down with network_dim."""
    config = preset(structure={"network_dim": 16, "network_alpha": 12})
    ranks = [step for step in steps_down(config) if len(step.values) == 2]
    assert [step.overrides for step in ranks] == [
        ("structure.network_dim=8", "structure.network_alpha=6"),
        ("structure.network_dim=4", "structure.network_alpha=3"),
    ]


def test_the_lines_are_toml() -> None:
    """What is shown can be pasted into a preset, and is what --set would do."""
    for step in steps_down(preset(steps={"train_batch_size": 8})):
        ((table, values),) = tomllib.loads("\n".join(step.lines)).items()
        assert [f"{table}.{key}={str(value).lower()}" for key, value in values.items()] == list(step.overrides)


def test_what_is_small_already_is_left_alone() -> None:
    """Nothing is raised: a low resolution and a low rank are no steps."""
    config = preset(
        steps={"train_batch_size": 1},
        engine={"gradient_checkpointing": True},
        processing={"resolution": 320},
        structure={"network_dim": 2},
    )
    assert steps_down(config) == ()
