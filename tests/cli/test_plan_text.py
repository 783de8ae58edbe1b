"""What `check` says of a training."""

from pathlib import Path

import pytest

from kohya_wrap import plan
from kohya_wrap.cli.plan_text import plan_rows


@pytest.mark.parametrize(
    ("overrides", "rates"),
    [
        ((), "U-Net 0.0005, text encoder 0.0001"),
        (("learning.text_encoder_lr=0",), "U-Net 0.0005, the text encoder not trained"),
        (("optimizer.optimizer=Prodigy",), "U-Net 0.5, text encoder 0.5"),
    ],
    ids=["both", "U-Net alone", "Prodigy's own"],
)
def test_learning_rates_as_they_take_effect(tmp_path: Path, overrides: tuple[str, ...], rates: str) -> None:
    """What one looks at first, before hours of training."""
    assert dict(plan_rows(plan("demo", root=tmp_path, overrides=overrides)))["rates"] == rates


@pytest.mark.parametrize(
    ("kind", "said"),
    [("LoRA", "LoRA, rank 4, alpha 2, on "), ("LoCon", "LoCon, rank 4, alpha 2, convolutions 8, alpha 4, on ")],
)
def test_ranks_and_alphas(tmp_path: Path, kind: str, said: str) -> None:
    """Those of the convolutions only where they are trained."""
    planned = plan("demo", root=tmp_path, overrides=(f"structure.lora_type={kind}",))
    assert dict(plan_rows(planned))["trains"].startswith(said)


def test_a_link_is_said_once(tmp_path: Path) -> None:
    """A base model whose name is the end of its link is not named twice."""
    link = "https://example.org/models/tiger.safetensors"
    overrides = (f"setup.optional_custom_training_model_url={link}", "engine.name=sd-scripts")
    said = dict(plan_rows(plan("demo", root=tmp_path, overrides=overrides)))["trains"]
    assert said.endswith(f"on {link}, to be fetched (Stable Diffusion 1.x)")
