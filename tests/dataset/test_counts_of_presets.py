"""The shipped presets on small datasets: an epoch's batches by hand, and as recorded runs counted them."""

import re
from pathlib import Path

import pytest
from dataset_helpers import captioned, prepared

from kohya_wrap import presets
from kohya_wrap.dataset import PreparedDataset, prepare
from kohya_wrap.dataset.types import Bucket
from kohya_wrap.paths import ProjectPaths


def prepared_preset(name: str, root: Path, sizes: list[tuple[int, int]]) -> PreparedDataset:
    for number, size in enumerate(sizes):
        captioned(root / "mine" / f"p{number}.png", size, caption="lakto_tiger, tiger\n")
    loaded = presets.load(name, overrides={"dataset.images": "mine", "dataset.activation_tag": ""})
    return prepare(loaded.config, ProjectPaths(root, loaded.config.setup.project_name))


@pytest.mark.parametrize(
    ("name", "sizes", "images", "buckets", "batches"),
    [
        ("one-image", [(512, 720)], 10, [(448, 576, 10)], 5),
        ("character", [(512, 512)] * 25 + [(512, 768)] * 5, 300, [(384, 640, 50), (512, 512, 250)], 25 + 125),
        ("style-locon", [(512, 512)] * 3 + [(768, 512)] * 3, 30, [(512, 512, 15), (640, 384, 15)], 8 + 8),
        ("character-prodigy", [(600, 600)] * 3, 30, [(512, 512, 30)], 15),
    ],
)
def test_preset(
    tmp_path: Path,
    name: str,
    sizes: list[tuple[int, int]],
    images: int,
    buckets: list[tuple[int, int, int]],
    batches: int,
) -> None:
    """Pictures x repeats fall into the buckets that were worked out by hand, and each bucket is filled up."""
    dataset = prepared_preset(name, tmp_path, sizes)
    assert [problem for problem in dataset.findings if problem.severity == "error"] == []
    assert dataset.groups[0].buckets == tuple(Bucket(*bucket) for bucket in buckets)
    assert (dataset.train_images, dataset.batches_per_epoch) == (images, batches)


@pytest.mark.parametrize(
    ("log", "pictures", "repeats"), [("one-image-80-columns/stdout-and-stderr", 1, 10), ("dw_save/stdout", 3, 2)]
)
def test_recorded_run(tmp_path: Path, shared: Path, log: str, pictures: int, repeats: int) -> None:
    """A recorded run at 64 pixels in batches of 2, or of 1 picture, counted what is counted here."""
    path = shared / "data" / "logs" / "48d368f" / log
    if not path.is_file():
        pytest.skip(f"the recorded log {log} is not there")
    text = path.read_text(encoding="utf-8")
    counted = [int(number) for number in re.findall(r"(?:繰り返し回数|のバッチ数): (\d+)", text)]
    per_step = re.search(r"batch size per device[^:]*: (\d+)", text)
    project = ProjectPaths(tmp_path, "tiger")
    for number in range(pictures):
        captioned(project.dataset / f"p{number}.png")
    size = int(per_step[1]) if per_step else 2
    dataset = prepared(project, {"steps": {"num_repeats": repeats, "train_batch_size": size}})
    assert counted == [dataset.train_images, dataset.reg_images, dataset.batches_per_epoch]
