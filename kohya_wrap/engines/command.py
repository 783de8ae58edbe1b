"""The command that starts a training: accelerate's launcher, the script, the two TOML files, and the environment."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kohya_wrap.config import HardwareChoices
from kohya_wrap.launch import LaunchPlan
from kohya_wrap.launch.environment import clean_environment
from kohya_wrap.paths import RunPaths

LAUNCHER = ("-m", "accelerate.commands.launch")
"""The module behind accelerate-launch: 1.5 s to start, where `accelerate launch`, which imports every subcommand
first, takes 3.0 s. As a module it needs no script beside the interpreter, and no shebang that is too long."""


def training_plan(
    python: Path,
    script: Path,
    run: RunPaths,
    *,
    choices: HardwareChoices,
    gpu_ids: str,
    environ: Mapping[str, str] | None = None,
) -> LaunchPlan:
    """Give the command that trains what the TOML files of `run` say; it works in the run's folder. Writes nothing."""
    variables = os.environ if environ is None else environ
    return LaunchPlan(
        argv=(
            *(str(python), *LAUNCHER, "--config_file", str(run.accelerate_config)),
            *(str(script), "--config_file", str(run.training_config), "--dataset_config", str(run.dataset_config)),
        ),
        env=clean_environment(
            variables, add={**fixed_environment(choices.num_cpu_threads), **_devices(choices, gpu_ids, variables)}
        ),
        cwd=run.folder,
    )


def fixed_environment(num_cpu_threads: int) -> dict[str, str]:
    """Give what is set for every process of an engine, so that nothing of it depends on the caller's shell."""
    threads = str(max(1, num_cpu_threads))
    return {
        "OMP_NUM_THREADS": threads,
        # How long a thread of OpenMP waits busily. At its default a training takes ten times as long when two cores
        # are shared with anything else (measured: 73 s for 8 s); so it takes 13 s, and no longer on an idle machine.
        "GOMP_SPINCOUNT": "1000",
        "MKL_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
        # The order of sets of strings; without it every process has another.
        "PYTHONHASHSEED": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


def without_network(plan: LaunchPlan) -> LaunchPlan:
    """Give the same command with Hugging Face's libraries told to use what is on this machine, and to fail else."""
    return replace(plan, env={**plan.env, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"})


def _devices(choices: HardwareChoices, gpu_ids: str, environ: Mapping[str, str]) -> dict[str, str]:
    if choices.use_cpu:
        return {"CUDA_VISIBLE_DEVICES": ""}
    # Source: PyTorch, Reproducibility; NVIDIA, cuBLAS and TF32.
    fixed = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "NVIDIA_TF32_OVERRIDE": "0"} if choices.deterministic else {}
    if not gpu_ids:
        return fixed
    # GPUs are counted as nvidia-smi and NVML count them, not fastest first.
    return {
        **fixed,
        "CUDA_VISIBLE_DEVICES": gpu_ids.replace(" ", ""),
        "CUDA_DEVICE_ORDER": environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID"),
    }
