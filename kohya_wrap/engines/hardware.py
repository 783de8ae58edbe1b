"""What this machine offers to a run, gathered without starting Python or torch."""

import os
from collections.abc import Mapping

import psutil

from kohya_wrap.config import EngineConfig, Hardware
from kohya_wrap.engines.engine import EngineStatus
from kohya_wrap.engines.nvidia import read_driver


def detect(status: EngineStatus, config: EngineConfig, *, environ: Mapping[str, str] | None = None) -> Hardware:
    """Give the facts that config.hardware decides by: GPUs that the run may use, cores, memory in bytes.

    engine.gpu_ids names GPUs as nvidia-smi lists them, whatever CUDA_VISIBLE_DEVICES says, as accelerate takes it.
    """
    driver = status.driver
    if config.gpu_ids:
        variables = dict(os.environ if environ is None else environ)
        driver = read_driver({**variables, "CUDA_VISIBLE_DEVICES": config.gpu_ids})
    return Hardware(
        gpus=driver.gpus,
        cpu_count=usable_cpus(),
        memory=psutil.virtual_memory().total,
        driver=driver.version,
        xformers=status.xformers,
        bitsandbytes=status.bitsandbytes,
    )


def usable_cpus() -> int:
    """Count the cores that this process may run on, which containers and task sets make fewer."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
