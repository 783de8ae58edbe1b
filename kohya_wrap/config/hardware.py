"""What follows from the machine for a run, each choice with its reason, and what the machine cannot run."""

from collections.abc import Iterator
from dataclasses import replace

from kohya_wrap.config.engine import EngineConfig
from kohya_wrap.config.machine import Hardware, HardwareChoices
from kohya_wrap.config.model import TrainConfig
from kohya_wrap.config.optimizers import find_optimizer, parse_optimizer_args
from kohya_wrap.errors import Problem

LITTLE_MEMORY = 16 * 2**30
"""Below this many bytes of main memory the base model is loaded to the GPU (lowram), as the notebook does in Colab."""


def choose(config: TrainConfig, hardware: Hardware) -> tuple[HardwareChoices, list[Problem]]:
    """Decide what a run uses on this machine, each choice with its reason, and list what the machine cannot run.

    A value that the preset states is kept, and is a problem where the machine has not got it; the others follow the
    machine, or with fidelity "notebook" the notebook. The embedded engine always trains on the CPU, so that it gives
    the same LoRA everywhere.
    """
    engine = config.engine
    machine = replace(hardware, gpus=()) if engine.name == "embedded" else hardware
    workers, workers_reason = _workers(engine, machine)
    precision, precision_reason = _precision(engine, machine)
    attention, attention_reason = _attention(engine, machine)
    optimizer, optimizer_reason = _optimizer(config, machine)
    threads, threads_reason = _threads(engine, machine)
    lowram, lowram_reason = _lowram(engine, machine)
    choices = HardwareChoices(
        mixed_precision=precision,
        attention=attention,
        optimizer=optimizer,
        max_data_loader_n_workers=workers,
        persistent_data_loader_workers=workers > 0,
        lowram=lowram,
        num_processes=engine.num_processes,
        num_cpu_threads=threads,
        use_cpu=not machine.cuda,
        deterministic=engine.deterministic,
        reasons=(
            ("use_cpu", _device_reason(engine, hardware, machine)),
            ("mixed_precision", f"mixed_precision {precision}: {precision_reason}"),
            ("attention", f"attention {attention}: {attention_reason}"),
            ("optimizer", f"optimizer {optimizer}: {optimizer_reason}"),
            ("max_data_loader_n_workers", f"{workers} data loader workers: {workers_reason}"),
            ("lowram", f"lowram {str(lowram).lower()}: {lowram_reason}"),
            ("num_cpu_threads", f"{threads} CPU threads in each process: {threads_reason}"),
        ),
    )
    return choices, list(_problems(config, machine, choices))


_STATED = "as the preset says"
_NOTEBOOK = 'as the notebook has it (fidelity "notebook")'
_NO_CUDA = "no CUDA GPU is used"


def _device_reason(engine: EngineConfig, hardware: Hardware, machine: Hardware) -> str:
    if machine.cuda:
        names = ", ".join(gpu.name for gpu in machine.gpus)
        return f"on {engine.num_processes} of {len(machine.gpus)} CUDA GPU(s): {names}"
    if hardware.cuda:
        return "on the CPU: the embedded engine gives the same LoRA everywhere that way"
    return "on the CPU: no CUDA GPU was found"


def _precision(engine: EngineConfig, machine: Hardware) -> tuple[str, str]:
    if engine.mixed_precision != "auto":
        return engine.mixed_precision, _STATED
    if engine.fidelity == "notebook":
        return "fp16", _NOTEBOOK
    return ("fp16", "half the memory on CUDA") if machine.cuda else ("no", f"{_NO_CUDA}, and the CPU computes in fp32")


def _attention(engine: EngineConfig, machine: Hardware) -> tuple[str, str]:
    if engine.attention != "auto":
        return engine.attention, _STATED
    if engine.deterministic and machine.cuda:
        return "none", "with engine.deterministic; the faster ones add up in any order"
    if engine.fidelity == "notebook":
        return "xformers", _NOTEBOOK
    if machine.cuda and machine.xformers:
        return "xformers", "it loads here"
    return "sdpa", "xformers does not load here" if machine.cuda else f"{_NO_CUDA}, and xformers needs one"


def _optimizer(config: TrainConfig, machine: Hardware) -> tuple[str, str]:
    name = config.optimizer.optimizer
    known = find_optimizer(name)
    if "optimizer" in config.optimizer.model_fields_set:
        return name, _STATED
    if config.engine.fidelity == "notebook":
        return name, _NOTEBOOK
    if known is None or not known.needs_cuda or (machine.cuda and machine.bitsandbytes):
        return name, "the default"
    lack = "bitsandbytes does not load here" if machine.cuda else _NO_CUDA
    return known.full_precision, f"{name} with 32-bit states, since {lack}"


def _workers(engine: EngineConfig, machine: Hardware) -> tuple[int, str]:
    if engine.max_data_loader_n_workers >= 0:
        return engine.max_data_loader_n_workers, _STATED
    if engine.fidelity == "notebook":
        return 8, _NOTEBOOK
    return (2, "they read ahead of the GPU") if machine.cuda else (0, "on the CPU they would take time from training")


def _lowram(engine: EngineConfig, machine: Hardware) -> tuple[bool, str]:
    if engine.fidelity == "notebook":
        return True, _NOTEBOOK
    if machine.cuda and 0 < machine.memory < LITTLE_MEMORY:
        return True, "main memory is less than 16 GiB, so the base model is loaded to the GPU"
    return False, "main memory is enough" if machine.cuda else _NO_CUDA


def _threads(engine: EngineConfig, machine: Hardware) -> tuple[int, str]:
    if engine.num_cpu_threads:
        return engine.num_cpu_threads, _STATED
    if engine.fidelity == "notebook":
        return 1, _NOTEBOOK
    return max(1, machine.cpu_count // engine.num_processes), f"{machine.cpu_count} cores shared out"


def _problems(config: TrainConfig, machine: Hardware, choices: HardwareChoices) -> Iterator[Problem]:
    yield from _without_cuda(config.engine, machine, choices)
    yield from _gpu_problems(config.engine, machine)
    if choices.optimizer != config.optimizer.optimizer:
        yield from parse_optimizer_args(choices.optimizer, config.optimizer.optimizer_args)[1]


def _without_cuda(engine: EngineConfig, machine: Hardware, choices: HardwareChoices) -> Iterator[Problem]:
    """List the choices that need a GPU, or a package of the engine's environment, that is not there."""
    auto = 'set engine.fidelity = "hardware"' if engine.fidelity == "notebook" else 'set it to "auto"'
    if choices.mixed_precision != "no" and not machine.cuda:
        yield Problem("engine.mixed_precision", f"{choices.mixed_precision} needs CUDA, and {_NO_CUDA}", auto)
    if choices.attention == "xformers" and not (machine.cuda and machine.xformers):
        lack = "it does not load in the engine's environment" if machine.cuda else f"it needs CUDA, and {_NO_CUDA}"
        yield Problem("engine.attention", f"xformers cannot be used: {lack}", auto)
    if engine.deterministic and choices.attention in {"xformers", "sdpa"} and machine.cuda:
        what = f"{choices.attention} adds up in any order, which engine.deterministic is to keep out"
        yield Problem("engine.attention", what, 'set it to "auto"', severity="warning")
    optimizer = find_optimizer(choices.optimizer)
    if optimizer is not None and optimizer.needs_cuda and not (machine.cuda and machine.bitsandbytes):
        lack = "bitsandbytes, which does not load here" if machine.cuda else f"CUDA, and {_NO_CUDA}"
        todo = f'set optimizer.optimizer = "{optimizer.full_precision}", the same with 32-bit states'
        yield Problem("optimizer.optimizer", f"{choices.optimizer} needs {lack}", todo)


def _gpu_problems(engine: EngineConfig, machine: Hardware) -> Iterator[Problem]:
    """List what does not fit between the GPUs asked for and those that are there."""
    count = len(machine.gpus)
    if engine.num_processes > max(count, 1):
        what = f"{engine.num_processes} processes, but {count or 'no'} CUDA GPU(s) are there"
        yield Problem("engine.num_processes", what, f"set it to {max(count, 1)}")
        return
    ids = [part.strip() for part in engine.gpu_ids.split(",")] if engine.gpu_ids else []
    wrong = [part for part in ids if not part.isdecimal() or int(part) >= count]
    if wrong:
        there = ", ".join(str(index) for index in range(count)) or "none: leave it empty"
        yield Problem("engine.gpu_ids", f"there is no GPU {', '.join(wrong)!r}", f"numbers that are there: {there}")
    elif ids and (len(ids) != engine.num_processes or len(set(ids)) != len(ids)):
        what = f"{engine.gpu_ids!r} names {len(set(ids))} GPUs for {engine.num_processes} process(es)"
        yield Problem("engine.gpu_ids", what, f"name {engine.num_processes}, or set engine.num_processes = {len(ids)}")
    used = [machine.gpus[int(part)] for part in ids if part not in wrong] or machine.gpus[: engine.num_processes]
    old = sorted({gpu.name for gpu in used if not gpu.has_bf16})
    if engine.mixed_precision == "bf16" and old:
        yield Problem("engine.mixed_precision", f"{', '.join(old)} has no bf16", 'set it to "fp16"')
