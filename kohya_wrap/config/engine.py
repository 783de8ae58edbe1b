"""[engine]: who trains, on what hardware, and how closely the notebook is followed."""

from typing import Annotated, Literal

from pydantic import Field

from kohya_wrap.config.base import Table


class EngineConfig(Table):
    """Which engine runs, and what hardware decides; "auto" is resolved by config.hardware and said in the plan."""

    name: Literal["sd-scripts", "embedded"] = "sd-scripts"
    """sd-scripts: kohya's trainer. embedded: the small one for demos and tests.
    Default: sd-scripts. Source: kohya_wrap."""

    fidelity: Literal["hardware", "notebook"] = "hardware"
    """hardware: precision, attention, workers and 8-bit follow the machine. notebook: exactly the notebook's values.
    Default: hardware. Source: kohya_wrap."""

    sd_scripts_dir: str = ""
    """An existing sd-scripts checkout to use; empty: vendor/sd-scripts.
    Default: empty. Source: kohya_wrap."""

    python: str = ""
    """The python of an environment that can run sd-scripts; empty: the one that setup builds.
    Default: empty. Source: kohya_wrap."""

    mixed_precision: Literal["auto", "no", "fp16", "bf16"] = "auto"
    """Numeric type of the computation; bf16 needs a GPU that has it.
    Default: auto (fp16 with CUDA, else no). Source: Lora_Trainer sets fp16."""

    save_precision: Literal["float", "fp16", "bf16"] = "fp16"
    """Numeric type of the saved LoRA. Default: fp16. Source: Lora_Trainer sets fp16."""

    attention: Literal["auto", "xformers", "sdpa", "none"] = "auto"
    """How attention is computed; xformers needs CUDA.
    Default: auto (xformers where it loads with CUDA, else sdpa). Source: Lora_Trainer sets xformers."""

    max_data_loader_n_workers: Annotated[int, Field(ge=-1)] = -1
    """Processes that read pictures; -1: 2 with CUDA, 0 without. Default: -1. Source: Lora_Trainer sets 8."""

    cache_latents: bool = True
    """Encode each picture once. Default: true. Source: Lora_Trainer sets true."""

    deterministic: bool = False
    """Leave out what is known to add up in any order on a GPU: xformers and TF32, and let cuBLAS have a fixed
    workspace. The rest cannot be set from outside sd-scripts, so a GPU may still differ in the last digits; what this
    buys and costs there has not been measured. On the CPU runs repeat themselves without it.
    Default: false. Source: PyTorch, Reproducibility."""

    gradient_checkpointing: bool = False
    """Less GPU memory for more time. Default: false. Source: sd-scripts."""

    stall_minutes: Annotated[float, Field(ge=0)] = 15.0
    """How long the engine may print nothing before that is said; 0: for ever. A step or a picture is never silent.
    Default: 15. Source: kohya_wrap."""

    on_stall: Literal["warn", "stop"] = "warn"
    """What happens then: it is said once, or the run is stopped. Default: warn. Source: kohya_wrap."""

    on_out_of_memory: Literal["stop", "step down"] = "stop"
    """stop: say what to change. step down: change it and train again: one picture a batch, gradient checkpointing,
    cached latents, lower resolutions, lower ranks; each try is a run of its own. Default: stop. Source: kohya_wrap."""

    num_processes: Annotated[int, Field(ge=1)] = 1
    """Local GPUs to train on. Default: 1. Source: accelerate."""

    gpu_ids: str = ""
    """Which GPUs, comma separated; empty: the first num_processes. Default: empty. Source: accelerate."""

    num_cpu_threads: Annotated[int, Field(ge=0)] = 0
    """OMP_NUM_THREADS of each process; 0: the machine's cores shared out. Default: 0. Source: accelerate."""
