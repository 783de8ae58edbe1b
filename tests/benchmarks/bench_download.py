"""What a base model's way to the store costs: against aria2c and against one requests stream, on loopback.

The host runs in processes of its own and sends with sendfile. Each figure is the median of several rounds, in turn.
aria2c gets the options of the notebook; it neither verifies the hash nor waits for the disk.
"""

import hashlib
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kohya_wrap.base_models.hash_memory import remember
from kohya_wrap.base_models.locate import locate
from kohya_wrap.base_models.store import Store
from kohya_wrap.config import SetupConfig
from kohya_wrap.paths import CachePaths

pytestmark = pytest.mark.bench

SERVER = Path(__file__).parents[1] / "base_models" / "fake_server.py"
GIBI = 1 << 30
LIMIT = 20_000_000
"""Bytes a second that the host gives each connection."""
ROUNDS = 5

OURS = """
import sys, time
from pathlib import Path
from kohya_wrap.base_models.downloader import DownloadRequest, download
began = time.perf_counter()
download(DownloadRequest(sys.argv[1], sha256=sys.argv[3]), Path(sys.argv[2]))
print(time.perf_counter() - began)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
ONE_STREAM = """
import sys, time, requests
began = time.perf_counter()
with requests.get(sys.argv[1], stream=True, timeout=30) as answer, open(sys.argv[2], "wb") as file:
    for chunk in answer.iter_content(1 << 20):
        file.write(chunk)
print(time.perf_counter() - began)
"""


@pytest.fixture(scope="module")
def gibi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Make a file of 1 GiB, and its SHA256."""
    path, digest = tmp_path_factory.mktemp("bench") / "model.safetensors", hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(64):
            block = os.urandom(GIBI // 64)
            digest.update(block)
            file.write(block)
    yield path, digest.hexdigest()
    path.unlink()


@contextmanager
def serving(path: Path, rate: float) -> Iterator[str]:
    """Serve a file from a process of its own; give its address."""
    host = subprocess.Popen(
        [sys.executable, str(SERVER), str(path), str(rate)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert host.stdout is not None
    try:
        yield host.stdout.readline().strip()
    finally:
        host.kill()
        host.communicate()


def python(code: str, *words: str) -> list[str]:
    """Run code in a process of its own; give the words that it prints, of which the first is its seconds."""
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    ).stdout.split()


def aria2c(url: str, folder: Path) -> float:
    """Fetch with the notebook's command; give its seconds."""
    program = shutil.which("aria2c")
    if program is None:
        pytest.skip("aria2c is not installed: apt-get install aria2")
    words = ("-x", "16", "-s", "16", "--console-log-level=error", "--summary-interval=0", "--quiet")
    began = time.perf_counter()
    subprocess.run([program, *words, "-d", str(folder), "-o", "aria2c", url], check=True)
    return time.perf_counter() - began


def write_sparse(path: Path, size: int) -> None:
    """Write a base model that takes no room, with as long a header as a real one."""
    shapes = {
        "model.diffusion_model.input_blocks.0.0.weight": [320, 4, 3, 3],
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [320, 768],
        "first_stage_model.encoder.conv_in.weight": [128, 3, 3, 3],
        "cond_stage_model.transformer.text_model.final_layer_norm.weight": [768],
        **{f"model.diffusion_model.output_blocks.{n}.1.transformer_blocks.0.norm1.weight": [320] for n in range(1100)},
    }
    header, end = {}, 0
    for name, shape in {**shapes, "model.diffusion_model.rest": [(size - 10_000_000) // 2]}.items():
        start, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def rounds(*ways: Callable[[], float], count: int = ROUNDS) -> list[float]:
    """Time each way `count` times, in turn; give the median of each."""
    times = [[way() for way in ways] for _ in range(count)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def fetched_by_us(url: str, folder: Path, sha256: str) -> float:
    """Fetch and verify with this package; give the seconds."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return float(python(OURS, url, str(folder / "ours"), sha256)[0])


def fetched_by_aria2c(url: str, folder: Path) -> float:
    """Fetch with aria2c into an empty folder; give the seconds."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return aria2c(url, folder)


def test_with_a_limit_for_each_connection(gibi: tuple[Path, str], tmp_path: Path) -> None:
    """Hash verified, no slower than aria2c -x 16 -s 16 without, and at least 5 times one requests stream."""
    path, sha256 = gibi
    with serving(path, LIMIT) as url:
        ours, theirs = rounds(
            lambda: fetched_by_us(url, tmp_path / "ours", sha256),
            lambda: fetched_by_aria2c(url, tmp_path / "aria2c"),
        )
        single = float(python(ONE_STREAM, url, str(tmp_path / "single"))[0])
    print(  # noqa: T201
        f"\n1 GiB, 20 MB/s a connection: ours with SHA256 {ours:.2f} s, aria2c -x 16 -s 16 {theirs:.2f} s "
        f"({theirs / ours:.2f}), one requests stream {single:.1f} s ({single / ours:.1f})"
    )
    assert ours <= theirs
    assert single >= 5 * ours


def test_without_a_limit(gibi: tuple[Path, str], tmp_path: Path) -> None:
    """At least 0.8 of aria2c's speed, with the hash verified and aria2c's not."""
    path, sha256 = gibi
    with serving(path, 0) as url:
        ours, theirs = rounds(
            lambda: fetched_by_us(url, tmp_path / "ours", sha256),
            lambda: fetched_by_aria2c(url, tmp_path / "aria2c"),
        )
    print(  # noqa: T201
        f"\n1 GiB, no limit: ours with SHA256 {ours:.2f} s, aria2c without {theirs:.2f} s ({theirs / ours:.2f})"
    )
    assert theirs / ours >= 0.8


def test_memory(gibi: tuple[Path, str], tmp_path: Path) -> None:
    """A process that downloads takes under 120 MB."""
    path, sha256 = gibi
    with serving(path, LIMIT) as url:
        _, _, kibibytes, _ = python(OURS, url, str(tmp_path / "ours"), sha256)
    peak = int(kibibytes) << 10
    print(f"\ndownloading 1 GiB: peak {peak / 1e6:.0f} MB")  # noqa: T201
    assert 0 < peak < 120e6


def test_resolving_from_the_store(tmp_path: Path) -> None:
    """A pinned base model of 2 GB that is in the store is located in under 50 ms, and a local one with its hash."""
    cache, sha256 = CachePaths(tmp_path / "cache"), "ab" * 32
    big = tmp_path / "big.safetensors"
    write_sparse(big, 2_000_000_000)
    remember(big, sha256, cache)
    Store(cache).adopt(big, name="big.safetensors", about={}, sha256=sha256)
    local = tmp_path / "local.safetensors"
    write_sparse(local, 2_000_000_000)
    remember(local, sha256, cache)
    link = "https://civitai.com/models/11888?modelVersionId=47368"
    for name, source in (("store", link), ("local file", str(local))):
        fields = {"project_name": "p", "optional_custom_training_model_url": source, "base_model_sha256": sha256}
        setup = SetupConfig.model_validate(fields)
        times = []
        for _ in range(7):
            began = time.perf_counter()
            located = locate(setup, root=tmp_path, cache=cache)
            times.append(time.perf_counter() - began)
            assert located.file is not None, located
            assert located.file.sha256 == sha256
        print(f"\n2 GB from the {name}: first {times[0] * 1e3:.1f} ms, median {statistics.median(times) * 1e3:.1f} ms")  # noqa: T201
        assert statistics.median(times) < 0.05
