"""How long a look at 10,000 pictures takes, beside merely decoding them: `make bench`."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from kohya_wrap.config import TrainConfig
from kohya_wrap.dataset import prepare
from kohya_wrap.paths import ProjectPaths

COUNT = 10_000
MOST = 2.0
"""Times the plain decoding."""


def decode(path: Path) -> None:
    with Image.open(path) as image:
        image.load()


@pytest.mark.bench
def test_dataset_scan(tmp_path: Path) -> None:
    """Looking at 10,000 pictures and captions takes less than twice what decoding them in parallel takes."""
    project = ProjectPaths(tmp_path, "bench")
    project.dataset.mkdir(parents=True)
    picture, image = tmp_path / "x.png", Image.effect_noise((256, 192), 60).convert("RGB")
    image.save(picture)
    data = picture.read_bytes()
    for number in range(COUNT):
        (project.dataset / f"p{number:05}.png").write_bytes(data)
        (project.dataset / f"p{number:05}.txt").write_text("tiger, orange fur\n")
    config = TrainConfig.model_validate({"setup": {"project_name": "bench"}, "processing": {"resolution": 64}})
    start = time.perf_counter()
    with ThreadPoolExecutor() as pool:
        list(pool.map(decode, sorted(project.dataset.glob("*.png"))))
    plain = time.perf_counter() - start
    start = time.perf_counter()
    dataset = prepare(config, project)
    ours = time.perf_counter() - start
    assert not dataset.findings
    print(f"dataset: {COUNT:,} pictures in {ours:.1f} s, decoding alone {plain:.1f} s")  # noqa: T201  a benchmark's result
    assert ours < MOST * plain
