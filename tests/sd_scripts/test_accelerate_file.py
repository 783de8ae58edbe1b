"""accelerate's config file, for one CPU, one GPU and several."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from helpers_hardware import CPU, GPU

from kohya_wrap.config import HardwareChoices
from kohya_wrap.sd_scripts import accelerate_yaml

TWO = replace(GPU, num_processes=2)


def lines(choices: HardwareChoices, gpu_ids: str = "") -> set[str]:
    return set(accelerate_yaml(choices, gpu_ids).splitlines())


def test_cpu() -> None:
    """On the CPU: one process, use_cpu, no GPU named."""
    written = lines(CPU)
    assert {"distributed_type: 'NO'", "num_processes: 1", "use_cpu: true", "mixed_precision: 'no'"} <= written
    assert not any(line.startswith("gpu_ids") for line in written)


def test_one_gpu() -> None:
    """One GPU: the first one, unless another is named."""
    assert {"distributed_type: 'NO'", "gpu_ids: '0'", "use_cpu: false"} <= lines(GPU)
    assert "gpu_ids: '3'" in lines(GPU, "3")


def test_several_gpus() -> None:
    """Several local GPUs: one process each, and a port of their own."""
    written = lines(TWO, "1, 3")
    assert {"distributed_type: 'MULTI_GPU'", "num_processes: 2", "gpu_ids: '1,3'", "main_process_port: 0"} <= written
    assert "gpu_ids: '0,1'" in lines(TWO)


@pytest.mark.engine
@pytest.mark.parametrize("choices", [CPU, GPU, TWO])
def test_accelerate_reads_it(choices: HardwareChoices, tmp_path: Path, engine_python: Path) -> None:
    """accelerate's own loader takes the file: every key is known to it."""
    path = tmp_path / "accelerate.yaml"
    path.write_text(accelerate_yaml(choices, ""))
    program = (
        "import sys; from accelerate.commands.config.config_args import load_config_from_file as load\n"
        "config = load(sys.argv[1]); print(config.num_processes, config.use_cpu)"
    )
    done = subprocess.run((str(engine_python), "-c", program, str(path)), check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(choices.num_processes), str(choices.use_cpu)]
