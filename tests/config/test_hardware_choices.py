"""What a machine makes of a preset, and what it cannot run."""

import pytest
from config_helpers import config_of

from kohya_wrap.config import Gpu, Hardware, HardwareChoices
from kohya_wrap.config.hardware import choose
from kohya_wrap.config.resolve import resolve
from kohya_wrap.errors import Problem

GIB = 2**30
AMPERE = Gpu("RTX 3060", 12 * GIB, (8, 6))
TURING = Gpu("RTX 2060", 6 * GIB, (7, 5))
CPU = Hardware(cpu_count=4, memory=32 * GIB)
CUDA = Hardware(gpus=(AMPERE,), cpu_count=8, memory=32 * GIB, xformers=True, bitsandbytes=True)
TWO = Hardware(gpus=(AMPERE, AMPERE), cpu_count=8, memory=32 * GIB, xformers=True, bitsandbytes=True)
BARE = Hardware(gpus=(AMPERE,), cpu_count=8, memory=32 * GIB)

Tables = dict[str, dict[str, object]]


def chosen(machine: Hardware, tables: Tables | None = None) -> HardwareChoices:
    choices, problems = choose(config_of(tables), machine)
    assert problems == [], [str(problem) for problem in problems]
    return choices


def problems(machine: Hardware, tables: Tables) -> list[Problem]:
    return choose(config_of(tables), machine)[1]


def test_with_cuda_the_notebooks_choices_hold() -> None:
    """fp16, AdamW8bit and xformers, with two workers that stay."""
    choices = chosen(CUDA)
    assert (choices.mixed_precision, choices.attention, choices.optimizer) == ("fp16", "xformers", "AdamW8bit")
    assert (choices.max_data_loader_n_workers, choices.persistent_data_loader_workers) == (2, True)
    assert (choices.use_cpu, choices.lowram) == (False, False)


def test_without_xformers_it_is_sdpa() -> None:
    """A CUDA machine on which xformers does not load trains with torch's own attention."""
    assert chosen(BARE).attention == "sdpa"


def test_deterministic_takes_plain_attention_on_a_gpu() -> None:
    """The faster ones add up in any order; on the CPU nothing changes, and what is stated stays, with a warning."""
    deterministic: Tables = {"engine": {"deterministic": True}}
    assert (chosen(CUDA, deterministic).attention, chosen(CUDA, deterministic).deterministic) == ("none", True)
    assert chosen(CPU, deterministic).attention == "sdpa"
    (problem,) = problems(CUDA, {"engine": {"deterministic": True, "attention": "xformers"}})
    assert (problem.where, problem.severity) == ("engine.attention", "warning")


def test_without_bitsandbytes_the_default_optimizer_has_32_bits() -> None:
    """A CUDA machine on which bitsandbytes does not load uses AdamW by default."""
    assert chosen(BARE).optimizer == "AdamW"


def test_on_the_cpu_everything_is_plain() -> None:
    """fp32, AdamW, sdpa, no workers."""
    choices = chosen(CPU)
    assert (choices.mixed_precision, choices.attention, choices.optimizer) == ("no", "sdpa", "AdamW")
    assert (choices.max_data_loader_n_workers, choices.persistent_data_loader_workers) == (0, False)
    assert (choices.use_cpu, choices.lowram) == (True, False)


@pytest.mark.parametrize("machine", [CPU, CUDA, TWO, BARE])
def test_every_choice_has_its_reason(machine: Hardware) -> None:
    """The plan can say each decision in one sentence, with the value in it."""
    reasons = dict(chosen(machine).reasons)
    assert {"use_cpu", "mixed_precision", "attention", "optimizer", "max_data_loader_n_workers"} <= set(reasons)
    assert {"lowram", "num_cpu_threads"} <= set(reasons)
    assert all(len(reason) > 10 for reason in reasons.values())


def test_the_reason_for_another_optimizer_names_both() -> None:
    """Who reads the plan sees that AdamW stands for AdamW8bit, and why."""
    reason = dict(chosen(CPU).reasons)["optimizer"]
    assert "AdamW8bit" in reason
    assert "no CUDA" in reason


@pytest.mark.parametrize("optimizer", ["AdamW", "Prodigy", "AdaFactor", "Lion", "some.Class"])
def test_other_optimizers_are_left_alone(optimizer: str) -> None:
    """What runs anywhere is used anywhere."""
    assert chosen(CPU, {"optimizer": {"optimizer": optimizer}}).optimizer == optimizer


@pytest.mark.parametrize(
    ("stated", "instead"),
    [
        ("AdamW8bit", "AdamW"),
        ("SGDNesterov8bit", "SGDNesterov"),
        ("Lion8bit", "Lion"),
        ("PagedAdamW8bit", "AdamW"),
        ("adamw8bit", "AdamW"),
    ],
)
@pytest.mark.parametrize("machine", [CPU, BARE])
def test_an_8bit_optimizer_asked_for_is_an_error_where_it_cannot_run(
    stated: str, instead: str, machine: Hardware
) -> None:
    """What the preset states is never swapped without a word; the error names the same with 32 bits."""
    (problem,) = problems(machine, {"optimizer": {"optimizer": stated}})
    assert problem.where == "optimizer.optimizer"
    assert problem.severity == "error"
    assert f'"{instead}"' in problem.todo


def test_arguments_of_the_8bit_optimizer_are_held_against_its_stand_in() -> None:
    """AdamW takes no min_8bit_size: that is said before the engine says it."""
    (problem,) = problems(CPU, {"optimizer": {"optimizer_args": ("min_8bit_size=1",)}})
    assert problem.where == "optimizer.optimizer_args"


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_asked_for_needs_cuda(precision: str) -> None:
    """The CPU fails at step 1 with either."""
    (problem,) = problems(CPU, {"engine": {"mixed_precision": precision}})
    assert problem.where == "engine.mixed_precision"
    assert problem.severity == "error"


@pytest.mark.parametrize("machine", [CPU, BARE])
def test_xformers_asked_for_has_to_load(machine: Hardware) -> None:
    """Without CUDA, or without the package, it is an error that names the way out."""
    (problem,) = problems(machine, {"engine": {"attention": "xformers"}})
    assert problem.where == "engine.attention"
    assert '"auto"' in problem.todo


def test_bf16_runs_where_the_gpu_has_it() -> None:
    """An Ampere card takes bf16."""
    assert chosen(CUDA, {"engine": {"mixed_precision": "bf16"}}).mixed_precision == "bf16"


def test_bf16_needs_every_gpu_that_is_used() -> None:
    """One old card among those used is an error that names it; one that is not used is none."""
    mixed = Hardware(gpus=(AMPERE, TURING), cpu_count=8, xformers=True, bitsandbytes=True)
    (problem,) = problems(mixed, {"engine": {"mixed_precision": "bf16", "num_processes": 2}})
    assert "RTX 2060" in problem.what
    assert problems(mixed, {"engine": {"mixed_precision": "bf16"}}) == []
    assert problems(mixed, {"engine": {"mixed_precision": "bf16", "gpu_ids": "1"}}) != []


def test_stated_values_are_kept() -> None:
    """What the preset states wins over what the machine suggests."""
    engine = {"mixed_precision": "no", "attention": "sdpa", "max_data_loader_n_workers": 0, "num_cpu_threads": 3}
    choices = chosen(CUDA, {"engine": {**engine}})
    assert (choices.mixed_precision, choices.attention) == ("no", "sdpa")
    assert (choices.max_data_loader_n_workers, choices.persistent_data_loader_workers) == (0, False)
    assert choices.num_cpu_threads == 3


def test_little_memory_loads_to_the_gpu() -> None:
    """Below 16 GiB of main memory lowram is on, as in Colab; not where the memory is unknown."""
    small = Hardware(gpus=(AMPERE,), cpu_count=2, memory=12 * GIB, xformers=True, bitsandbytes=True)
    unknown = Hardware(gpus=(AMPERE,), cpu_count=2, xformers=True, bitsandbytes=True)
    assert chosen(small).lowram is True
    assert chosen(unknown).lowram is False


def test_threads_are_shared_out() -> None:
    """Two processes on eight cores have four each; there is always one."""
    assert chosen(TWO, {"engine": {"num_processes": 2}}).num_cpu_threads == 4
    assert chosen(CPU).num_cpu_threads == 4
    assert chosen(Hardware(cpu_count=0)).num_cpu_threads == 1


@pytest.mark.parametrize(
    ("machine", "engine", "where"),
    [
        (CUDA, {"num_processes": 2}, "engine.num_processes"),
        (CPU, {"num_processes": 2}, "engine.num_processes"),
        (TWO, {"gpu_ids": "2"}, "engine.gpu_ids"),
        (TWO, {"gpu_ids": "a"}, "engine.gpu_ids"),
        (TWO, {"gpu_ids": "0,1"}, "engine.gpu_ids"),
        (TWO, {"gpu_ids": "1,1", "num_processes": 2}, "engine.gpu_ids"),
        (CPU, {"gpu_ids": "0"}, "engine.gpu_ids"),
    ],
)
def test_gpus_that_are_not_there_are_refused(machine: Hardware, engine: dict[str, object], where: str) -> None:
    """Processes and GPU numbers are held against the GPUs there are, and against each other."""
    (problem,) = problems(machine, {"engine": engine})
    assert problem.where == where
    assert problem.severity == "error"
    assert problem.todo


@pytest.mark.parametrize("engine", [{"gpu_ids": "1"}, {"gpu_ids": "0, 1", "num_processes": 2}, {"num_processes": 2}])
def test_gpus_that_are_there_are_taken(engine: dict[str, object]) -> None:
    """Numbers that are there, as many as processes, are no problem."""
    assert problems(TWO, {"engine": engine}) == []


NOTEBOOK: Tables = {"engine": {"fidelity": "notebook"}}


def test_fidelity_notebook_is_the_notebook() -> None:
    """fp16, xformers, lowram, 8 workers that stay, the optimizer as given, one thread."""
    choices = chosen(CUDA, NOTEBOOK)
    assert (choices.mixed_precision, choices.attention, choices.optimizer) == ("fp16", "xformers", "AdamW8bit")
    assert (choices.max_data_loader_n_workers, choices.persistent_data_loader_workers) == (8, True)
    assert (choices.lowram, choices.num_cpu_threads) == (True, 1)


def test_fidelity_notebook_says_what_the_machine_cannot_run() -> None:
    """On the CPU each of the notebook's three is an error, and the way out is the hardware's choice."""
    found = problems(CPU, NOTEBOOK)
    assert {problem.where for problem in found} == {
        "engine.mixed_precision",
        "engine.attention",
        "optimizer.optimizer",
    }
    assert chosen(CPU, {**NOTEBOOK, "engine": {"fidelity": "hardware"}})


def test_the_embedded_engine_stays_on_the_cpu() -> None:
    """It gives the same LoRA on every machine, so a GPU changes nothing."""
    choices = chosen(CUDA, {"engine": {"name": "embedded"}})
    assert choices.use_cpu is True
    assert (choices.mixed_precision, choices.optimizer) == ("no", "AdamW")
    assert "embedded" in dict(choices.reasons)["use_cpu"]


def test_resolving_does_not_make_the_default_optimizer_a_stated_one() -> None:
    """The effective config of a preset without an optimizer still lets the machine choose."""
    config, _ = resolve(config_of())
    assert choose(config, CPU)[1] == []
