"""accelerate's own config file, so that nobody's ~/.cache/huggingface/accelerate decides how a run is launched."""

from kohya_wrap.config import HardwareChoices


def accelerate_yaml(choices: HardwareChoices, gpu_ids: str) -> str:
    """Give the text of the file that `accelerate launch --config_file` names: one CPU, one GPU or several local GPUs.

    `gpu_ids`: comma separated; empty takes the first num_processes. mixed_precision stands here for the record only:
    the engine always passes its own value (facts 1.1). Source: accelerate's ClusterConfig, 1.6.
    """
    several = choices.num_processes > 1 and not choices.use_cpu
    lines = [
        "compute_environment: LOCAL_MACHINE",
        "debug: false",
        f"distributed_type: '{'MULTI_GPU' if several else 'NO'}'",
        "downcast_bf16: 'no'",
        "enable_cpu_affinity: false",
        "machine_rank: 0",
        # 0: a free port, so that two runs on one machine do not meet at 29500.
        *(["main_process_port: 0"] if several else []),
        "main_training_function: main",
        f"mixed_precision: '{choices.mixed_precision}'",
        "num_machines: 1",
        f"num_processes: {1 if choices.use_cpu else choices.num_processes}",
        "rdzv_backend: static",
        "same_network: true",
        f"use_cpu: {str(choices.use_cpu).lower()}",
    ]
    if not choices.use_cpu:
        lines.append(f"gpu_ids: '{gpu_ids.replace(' ', '') or _first(choices.num_processes)}'")
    return "\n".join(lines) + "\n"


def _first(count: int) -> str:
    return ",".join(str(index) for index in range(count))
