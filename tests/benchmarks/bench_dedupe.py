"""What finding alike pictures costs: 200,000 hashes, and 20,000 pictures against imagededup's PHash.

imagededup brings torch, so it is in no requirement of ours: KOHYA_WRAP_IMAGEDEDUP_PYTHON names the python of an
environment that has it (python -m venv DIR; DIR/bin/pip install imagededup). Both look for the same thing, hashes at
most 6 bits apart, with as many threads or processes as they choose, from the disk's cache.
"""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

THEIRS = os.environ.get("KOHYA_WRAP_IMAGEDEDUP_PYTHON", "")
SCENES, PICTURES, RADIUS = 15_000, 20_000, 6

SEARCH = """
import json, resource, sys, time
import numpy as np
from kohya_wrap.dataset.verbs.dedupe.hamming import near_pairs
dice = np.random.default_rng(0)
hashes = dice.integers(0, 2**64, 200_000, dtype=np.uint64)
planted = dice.permutation(200_000)[:40_000].reshape(2, -1)
changed = np.zeros(20_000, np.uint64)
for _ in range(6):
    changed ^= np.uint64(1) << dice.integers(0, 64, 20_000, dtype=np.uint64)
hashes[planted[1]] = hashes[planted[0]] ^ changed
radius = int(sys.argv[1])
began = time.perf_counter()
i, j = near_pairs(hashes, radius)
seconds = time.perf_counter() - began
pairs = set(zip(np.minimum(i, j).tolist(), np.maximum(i, j).tolist()))
missed = sum((min(a, b), max(a, b)) not in pairs for a, b in planted.T.tolist()) if radius >= 6 else 0
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": seconds, "memory": memory, "pairs": len(i), "missed": missed}))
"""

OURS = """
import json, sys, time
from pathlib import Path
from kohya_wrap.dataset.history import DatasetPlace
from kohya_wrap.dataset.verbs.dedupe import DedupeOptions, find_groups
from kohya_wrap.dataset.verbs.parallel import no_report
began = time.perf_counter()
pictures = DatasetPlace(Path(sys.argv[1]), Path(sys.argv[1] + ".history")).pictures()
groups, unreadable = find_groups(pictures, DedupeOptions(threshold=6))
seconds = time.perf_counter() - began
print("ANSWER" + json.dumps({"seconds": seconds, "spares": sum(len(group.spares) for group in groups)}))
"""

IMAGEDEDUP = """
import json, sys, time
from imagededup.methods import PHash
if __name__ == "__main__":
    began = time.perf_counter()
    method = PHash(verbose=False)
    hashes = method.encode_images(image_dir=sys.argv[1])
    spares = method.find_duplicates_to_remove(encoding_map=hashes, max_distance_threshold=6)
    print("ANSWER" + json.dumps({"seconds": time.perf_counter() - began, "spares": len(spares)}))
"""


@pytest.mark.parametrize("radius", [6, 10])
def test_near_copies_among_200000_hashes(radius: int) -> None:
    """All pairs within the radius in under 5 s and 1 GB, the 20,000 planted ones among them."""
    done = subprocess.run(
        (sys.executable, "-c", SEARCH, str(radius)), capture_output=True, text=True, check=True, timeout=300
    )
    found = json.loads(done.stdout)
    print(  # noqa: T201
        f"\n200,000 hashes within {radius} bits: {found['seconds']:.2f} s, {found['memory'] / 1e6:.0f} MB for the whole"
        f" process, {found['pairs']} pairs"
    )
    assert found["seconds"] < 5
    assert found["memory"] < 1e9
    assert found["missed"] == 0


def draw(job: tuple[Path, int, int]) -> None:
    """Draw some scenes with shapes and grain; every third has a smaller JPEG copy."""
    folder, first, last = job
    for at in range(first, last):
        dice = np.random.default_rng(at)
        size = (640, 480) if at % 2 else (512, 768)
        areas = Image.fromarray(dice.integers(0, 256, (7, 7, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
        grain = np.repeat(np.repeat(dice.integers(-12, 13, (size[1] // 2, size[0] // 2, 1)), 2, axis=0), 2, axis=1)
        image = Image.fromarray(np.clip(np.asarray(areas, np.int16) + grain, 0, 255).astype(np.uint8))
        if at % 5:
            image.save(folder / f"{at:05}.jpg", quality=92)
        else:
            image.save(folder / f"{at:05}.png", compress_level=3)
        if at % 3 == 0:
            image.resize((size[0] * 3 // 4, size[1] * 3 // 4)).save(folder / f"{at:05}_copy.jpg", quality=80)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw 20,000 pictures, 5,000 of them smaller copies."""
    folder = tmp_path_factory.mktemp("pictures")
    with ProcessPoolExecutor() as pool:
        list(pool.map(draw, [(folder, first, first + 250) for first in range(0, SCENES, 250)]))
    assert len(list(folder.iterdir())) == PICTURES
    return folder


def timed(python: str, program: str, folder: Path) -> dict[str, float]:
    done = subprocess.run(
        (python, "-c", program, str(folder)), capture_output=True, text=True, check=False, timeout=1800
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, float] = json.loads(done.stdout.rpartition("ANSWER")[2])
    return answer


def test_20000_pictures_against_imagededup(pictures: Path) -> None:
    """Reading, hashing and grouping 20,000 pictures is faster than imagededup's, and finds the 5,000 copies."""
    if not THEIRS:
        pytest.skip("KOHYA_WRAP_IMAGEDEDUP_PYTHON is not set")
    for path in pictures.iterdir():  # into the disk's cache, for both
        path.read_bytes()
    began = time.perf_counter()
    ours = timed(sys.executable, OURS, pictures)
    theirs = timed(THEIRS, IMAGEDEDUP, pictures)
    print(  # noqa: T201
        f"\n20,000 pictures ({os.cpu_count()} cores, {time.perf_counter() - began:.0f} s in all):"
        f" ours {ours['seconds']:.1f} s, {ours['spares']:.0f} to set aside;"
        f" imagededup PHash {theirs['seconds']:.1f} s, {theirs['spares']:.0f} to remove"
    )
    assert ours["spares"] >= 0.99 * (PICTURES - SCENES)
    assert ours["seconds"] < theirs["seconds"]
