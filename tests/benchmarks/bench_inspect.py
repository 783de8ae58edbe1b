"""What looking into a large LoRA costs: the header alone, and all of its numbers."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from kohya_wrap.results.inspect import inspect_header

pytestmark = pytest.mark.bench

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a LoRA of 200 MB with 722 modules and the tags of 10,000 pictures."""
    draw = np.random.default_rng(0)
    tensors = {}
    for index in range(722):
        name = f"lora_unet_down_blocks_{index % 4}_attentions_{index % 2}_transformer_blocks_{index}_attn2_to_k"
        tensors[f"{name}.lora_down.weight"] = draw.normal(size=(56, 1280)).astype("float16")
        tensors[f"{name}.lora_up.weight"] = draw.normal(size=(1280, 56)).astype("float16")
        tensors[f"{name}.alpha"] = np.array(28, "float16")
    path = tmp_path_factory.mktemp("large") / "large.safetensors"
    tags = ", ".join(f'"a tag of some length {index}": {index}' for index in range(10_000))
    save_file(tensors, str(path), {"ss_steps": "50", "ss_tag_frequency": f'{{"a": {{{tags}}}}}'})
    return path


def test_the_header_of_200_mb(large: Path) -> None:
    """The header part takes under 0.3 s."""
    times = []
    for _ in range(9):
        started = time.perf_counter()
        inspect_header(large)
        times.append(time.perf_counter() - started)
    size = large.stat().st_size / 1e6
    print(f"\nheader of a {size:.0f} MB LoRA: median {1000 * statistics.median(times):.1f} ms of 9")  # noqa: T201
    assert statistics.median(times) < 0.3


@pytest.mark.parametrize(("options", "limit"), [(("--header",), 2), ((), 10)])
def test_the_verb(large: Path, options: tuple[str, ...], limit: float) -> None:
    """`lora inspect` takes under 2 s for the header, under 10 s with hashes, norms, nan and zeros of the whole file."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([COMMAND, "lora", "inspect", str(large), *options], capture_output=True, check=True)
        times.append(time.perf_counter() - started)
    print(f"\nlora inspect {' '.join(options)}: median {statistics.median(times):.2f} s of 3")  # noqa: T201
    assert statistics.median(times) < limit
