"""What prepare says of a dataset is what sd-scripts' own dataset class makes of the same folders."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from dataset_helpers import captioned, draw, prepared, project_of
from PIL import Image

from kohya_wrap.dataset.types import PreparedDataset
from kohya_wrap.errors import Problem

pytestmark = pytest.mark.sd_scripts

# The engine's dataset with its caching strategy set, as train_network.py has it; without a model.
PROGRAM = """
import argparse, json, sys
from library import config_util, strategy_base, strategy_sd

strategy_base.LatentsCachingStrategy.set_strategy(strategy_sd.SdSdxlLatentsCachingStrategy(True, False, 1, False))
sanitizer = config_util.ConfigSanitizer(True, True, False, True)
arguments = argparse.Namespace(train_batch_size=2, prior_loss_weight=1.0, debug_dataset=False)
blueprint = config_util.BlueprintGenerator(sanitizer).generate(json.load(open(sys.argv[1])), arguments)
group = config_util.generate_dataset_group_by_blueprint(blueprint.dataset_group)
group = group[0] if isinstance(group, tuple) else group
answer = []
for dataset in group.datasets:
    answer.append({
        "train": dataset.num_train_images,
        "reg": dataset.num_reg_images,
        "batches": len(dataset),
        "images": {
            info.absolute_path: [*info.image_size, *info.bucket_reso, info.num_repeats, info.caption]
            for info in dataset.image_data.values()
        },
    })
print("ANSWER" + json.dumps(answer))
"""


def asked_of_engine(
    config: dict[str, object], *, python: Path, checkout: Path, scratch: Path
) -> list[dict[str, object]]:
    path = scratch / "dataset.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    done = subprocess.run(
        (str(python), "-c", PROGRAM, str(path)), cwd=checkout, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: list[dict[str, object]] = json.loads(done.stdout.rpartition("ANSWER")[2])
    return answer


def pictures_of_all_kinds(folder: Path) -> None:
    """Draw pictures of every format, mode and odd size that the engine trains."""
    for ending in ("png", "PNG", "jpg", "jpeg", "JPG", "webp", "bmp"):
        captioned(folder / f"kind-{ending}-{ending.islower()}.{ending}", (131, 77))
    for number, size in enumerate([(64, 64), (65, 63), (300, 100), (100, 300), (999, 10), (128, 96)]):
        captioned(folder / f"size-{number}.png", size)
    for mode, color in (("L", 9), ("P", 3), ("RGBA", 0), ("1", 1), ("LA", 0), ("I;16", 9)):
        draw(folder / f"mode-{mode.replace(';', '')}.png", (90, 111), mode=mode, color=color)
    draw(folder / "cmyk.jpg", (90, 111), mode="CMYK", color=0)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (120, 70)).save(folder / "turned.jpg", exif=exif)
    for ending in ("webp", "png"):
        frames = [Image.new("RGB", (97, 55), color) for color in ("red", "blue")]
        frames[0].save(folder / f"moving-{ending}.{ending}", save_all=True, append_images=frames[1:], duration=9)
    Image.new("RGB", (101, 57)).save(folder / "progressive.jpg", progressive=True)
    Image.new("RGB", (101, 57)).save(folder / "lossless.webp", lossless=True)
    shutil.copy(folder / "cmyk.jpg", folder / "named-otherwise.png")
    draw(folder / "kind-png-True_1_2_3_4.png", (80, 80))
    draw(folder / "虎 'x' [1].png", (80, 90))


def ours(dataset: PreparedDataset, number: int) -> dict[str, object]:
    group = dataset.groups[number]
    return {
        "train": sum(len(s.pictures) * s.num_repeats for s in group.subsets if not s.is_reg),
        "reg": sum(len(s.pictures) * s.num_repeats for s in group.subsets if s.is_reg),
        "batches": group.batches,
    }


def test_counts_sizes_and_captions(tmp_path: Path, engine_python: Path, sd_scripts_checkout: Path) -> None:
    """Pictures, sizes, captions, repeats and batches of two datasets with regularization are the engine's."""
    project = project_of(tmp_path)
    pictures_of_all_kinds(tmp_path / "kinds")
    for number in range(30):
        captioned(tmp_path / "reg" / f"r{number}.png", (80 + number, 120))
    text = """
        [[datasets]]
        resolution = 128
        batch_size = 3
        bucket_no_upscale = false
        [[datasets.subsets]]
        image_dir = "kinds"
        num_repeats = 2
        [[datasets.subsets]]
        image_dir = "reg"
        is_reg = true
        [[datasets]]
        resolution = [128, 192]
        [[datasets.subsets]]
        image_dir = "reg"
        num_repeats = 3
    """
    dataset = prepared(project, {"extras": {"custom_dataset": text}, "steps": {"train_batch_size": 2}})
    config: dict[str, object] = {
        "general": {"caption_extension": ".txt", "enable_bucket": True},
        "datasets": [
            {
                "resolution": list(group.rules.resolution),
                "batch_size": group.rules.batch_size,
                "min_bucket_reso": group.rules.min_bucket_reso,
                "max_bucket_reso": group.rules.max_bucket_reso,
                "subsets": [
                    {"image_dir": str(s.image_dir), "num_repeats": s.num_repeats, "is_reg": s.is_reg}
                    for s in group.subsets
                ],
            }
            for group in dataset.groups
        ],
    }
    answer = asked_of_engine(config, python=engine_python, checkout=sd_scripts_checkout, scratch=tmp_path)
    dropped = 0
    for number, (theirs, group) in enumerate(zip(answer, dataset.groups, strict=True)):
        images = theirs.pop("images")
        assert isinstance(images, dict)
        assert ours(dataset, number) == theirs
        for subset in group.subsets:
            for picture in subset.pictures:
                if subset.is_reg and str(picture.path) not in images:
                    dropped += 1
                    continue
                width, height, *_, caption = images[str(picture.path)]
                assert (picture.width, picture.height) == (width, height), picture.path
                assert caption == (picture.caption.read_text(encoding="utf-8").strip() if picture.caption else "")
    assert not dropped


def test_sizes_from_the_names_of_caches(tmp_path: Path, engine_python: Path, sd_scripts_checkout: Path) -> None:
    """Where the engine takes a picture's size from a .npz, wrongly, is exactly where that is a finding."""
    project = project_of(tmp_path)
    for name in ("cat", "cat_2", "dog", "dog_1", "eel", "fox"):
        captioned(project.dataset / f"{name}.png")
    for cache in ("cat_2_0200x0100", "dog_0096x0080", "dog_1_0096x0080", "fox_0300x0300"):
        (project.dataset / f"{cache}_sd.npz").write_bytes(b"PK")
    dataset = prepared(project)
    config: dict[str, object] = {
        "general": {"resolution": 64, "enable_bucket": True, "min_bucket_reso": 64, "caption_extension": ".txt"},
        "datasets": [{"subsets": [{"image_dir": str(project.dataset)}]}],
    }
    answer = asked_of_engine(config, python=engine_python, checkout=sd_scripts_checkout, scratch=tmp_path)
    images = answer[0]["images"]
    assert isinstance(images, dict)
    wrong = {Path(path).stem for path, info in images.items() if info[:2] != [96, 80]}
    stale = [problem for problem in dataset.findings if problem.code == "stale-cache"]
    assert wrong == {"cat", "cat_2", "fox"}
    assert {name for name in ("cat", "cat_2", "dog", "dog_1", "eel", "fox") if _named(name, stale)} == wrong


def _named(name: str, stale: list[Problem]) -> bool:
    return any(f" {name}.png" in str(problem) for problem in stale)
