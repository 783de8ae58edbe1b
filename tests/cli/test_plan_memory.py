"""What `check` says about GPU memory."""

from dataclasses import replace
from pathlib import Path

from kohya_wrap import plan
from kohya_wrap.cli.plan_text import plan_rows


def test_check_shows_the_estimate_where_a_gpu_is_used(tmp_path: Path) -> None:
    """One row with the sum and its parts; on the CPU there is none."""
    planned = plan("demo", root=tmp_path)
    assert "GPU memory" not in dict(plan_rows(planned))
    with_gpu = replace(planned, choices=replace(planned.choices, use_cpu=False, mixed_precision="fp16"))
    said = dict(plan_rows(with_gpu))["GPU memory"]
    assert said.startswith("about ")
    for part in ("base model 1.8 GiB", "LoRA and optimizer", "pictures", "CUDA 819.2 MiB", "reckoned"):
        assert part in said
