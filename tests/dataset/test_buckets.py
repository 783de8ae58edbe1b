"""Buckets: hand-worked numbers, and the engine's own BucketManager on many random pictures."""

import json
import random
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from kohya_wrap.dataset.buckets import assign_buckets, balanced_repeats, bucket_of, limits
from kohya_wrap.dataset.types import Bucket, BucketRules, DatasetGroup

RULES = BucketRules(resolution=(512, 512), batch_size=2)
NO_UPSCALE = replace(RULES, bucket_no_upscale=True)


@pytest.mark.parametrize(
    ("size", "bucket"),
    [
        ((512, 512), (512, 512)),
        ((64, 64), (512, 512)),  # enlarged
        ((1000, 1500), (384, 640)),  # 0.667 is nearer to 0.6 than to 448 / 576 = 0.778
        ((1500, 1000), (640, 384)),
        ((1920, 1080), (640, 384)),  # 1.778 is nearer to 1.667 than to 704 / 320 = 2.2
        ((960, 256), (960, 256)),  # a bucket's own size
        ((2000, 10), (1024, 256)),  # the widest there is
        ((10, 2000), (256, 1024)),
    ],
)
def test_nearest_ratio(size: tuple[int, int], bucket: tuple[int, int]) -> None:
    """A picture falls into the bucket whose sides have the nearest ratio."""
    assert bucket_of(size, RULES) == bucket


@pytest.mark.parametrize(
    ("size", "bucket"),
    [
        ((600, 400), (576, 384)),  # small enough: cut down to whole steps
        ((100, 130), (64, 128)),
        ((1000, 1500), (384, 576)),  # 418 x 627, cut to steps
        ((527, 938), (384, 640)),  # 383.8 x 683.1: the width is rounded up to 384 before it is cut
        ((1920, 1080), (640, 384)),  # 683 x 384 keeps the ratio better than 640 x 360
    ],
)
def test_no_upscale(size: tuple[int, int], bucket: tuple[int, int]) -> None:
    """With bucket_no_upscale the bucket follows the picture, shrunk to the area where it is larger."""
    assert bucket_of(size, NO_UPSCALE) == bucket


@pytest.mark.parametrize("size", [(70, 63), (63, 70), (10_000, 100), (100, 10_000)])
def test_no_bucket(size: tuple[int, int]) -> None:
    """A side of 0 tells of a picture that is too thin for bucket_no_upscale."""
    assert 0 in bucket_of(size, NO_UPSCALE)


def test_without_buckets() -> None:
    """With enable_bucket off every picture is cropped to the resolution."""
    assert bucket_of((100, 900), replace(RULES, enable_bucket=False, resolution=(512, 768))) == (512, 768)


def test_limits_move_outwards() -> None:
    """The engine rounds the lower limit down and the upper limit up to whole steps."""
    assert limits(replace(RULES, min_bucket_reso=300, max_bucket_reso=1000)) == (256, 1024)


def test_counts_repeats() -> None:
    """Pictures count with their repeats, and an epoch's batches are filled bucket by bucket."""
    buckets = assign_buckets([((512, 512), 3), ((500, 500), 2), ((1000, 1500), 5), ((64, 64), 0)], RULES)
    assert buckets == (Bucket(384, 640, 5), Bucket(512, 512, 5))
    assert DatasetGroup(RULES, (), buckets).batches == 3 + 3


@pytest.mark.parametrize(
    ("train", "reg", "used"),
    [
        (10, [], []),
        (0, [1, 1], [0, 0]),
        (10, [5, 5], [5, 5]),  # just enough
        (10, [3, 3], [5, 5]),  # 6 are too few: once more in turn, twice
        (7, [2, 2], [4, 3]),  # 4, then 1 + 1 + 1
        (4, [3, 3, 3], [3, 3, 0]),  # 6 of 4: the third is dropped
        (1, [1, 1, 1], [1, 0, 0]),
    ],
)
def test_balanced_repeats(train: int, reg: list[int], used: list[int]) -> None:
    """Regularization pictures are evened out with the training pictures as the engine does it."""
    assert balanced_repeats(train, reg) == used


def random_rules(dice: random.Random) -> BucketRules:
    side = dice.choice([(512, 512), (768, 768), (512, 768), (640, 640), (1024, 1024), (100, 100), (64, 64)])
    return BucketRules(
        resolution=side,
        batch_size=dice.randint(1, 5),
        min_bucket_reso=min(*side, dice.choice([64, 128, 200, 256, 300, 320])),
        max_bucket_reso=max(*side, dice.choice([768, 1000, 1024, 1280, 2048])),
        bucket_reso_steps=dice.choice([64, 64, 32]),
        bucket_no_upscale=dice.random() < 0.5,
    )


def random_sizes(dice: random.Random, rules: BucketRules) -> list[tuple[int, int]]:
    """Give sizes of every kind, and those about which rounding can go two ways."""
    step = rules.bucket_reso_steps
    sizes = [(dice.randint(step, 4000), dice.randint(step, 4000)) for _ in range(20)]
    for _ in range(10):
        sizes.append((dice.randint(1, 40) * step + dice.randint(-1, 1), dice.randint(1, 40) * step))
        sizes.append((dice.randint(64, 200), dice.randint(2000, 9000)))
        sizes.append((int(rules.resolution[0] * dice.choice([0.5, 1, 1.5, 2])), rules.resolution[1]))
    return sizes


PROGRAM = """
import json, sys
from library import train_util

class Sized(train_util.DreamBoothDataset):
    def __init__(self):
        pass

answers = []
for case in json.load(open(sys.argv[1])):
    rules, resolution = case["rules"], tuple(case["rules"]["resolution"])
    try:
        low, high = Sized().adjust_min_max_bucket_reso_by_steps(
            resolution, rules["min_bucket_reso"], rules["max_bucket_reso"], rules["bucket_reso_steps"])
        manager = train_util.BucketManager(
            rules["bucket_no_upscale"], resolution, low, high, rules["bucket_reso_steps"])
        if not rules["bucket_no_upscale"]:
            manager.make_buckets()
    except (AssertionError, ZeroDivisionError):
        answers.append(None)
        continue
    buckets = []
    for size in case["sizes"]:
        try:
            buckets.append([int(side) for side in manager.select_bucket(*size)[0]])
        except ZeroDivisionError:
            buckets.append([0, 0])
    answers.append(buckets)
print("ANSWER" + json.dumps(answers))
"""


@pytest.mark.sd_scripts
def test_buckets_are_the_engines(tmp_path: Path, engine_python: Path, sd_scripts_checkout: Path) -> None:
    """On 300 sets of rules and 50 pictures each, every picture falls into the bucket that sd-scripts gives it."""
    dice = random.Random(20230514)  # noqa: S311 - nothing secret
    cases = [(rules, random_sizes(dice, rules)) for rules in (random_rules(dice) for _ in range(300))]
    path = tmp_path / "cases.json"
    path.write_text(json.dumps([{"rules": asdict(rules), "sizes": sizes} for rules, sizes in cases]))
    done = subprocess.run(
        (str(engine_python), "-c", PROGRAM, str(path)),
        cwd=sd_scripts_checkout, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    answers = json.loads(done.stdout.rpartition("ANSWER")[2])
    compared = 0
    for (rules, sizes), answer in zip(cases, answers, strict=True):
        assert answer is not None or limits(rules)[0] == 0, rules
        for size, theirs in zip(sizes, answer or [], strict=bool(answer)):
            ours = bucket_of(size, rules)
            assert ours == tuple(theirs) or (0 in ours and 0 in theirs), (rules, size)
            compared += 1
    assert compared > 10_000
