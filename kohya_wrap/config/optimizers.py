"""The optimizers that sd-scripts knows by name, with the arguments each one takes.

To add one: a line in OPTIMIZERS and its name in the test. Any other class goes by its dotted path, unchecked.
Source: get_optimizer of sd-scripts' train_util.py at the pinned commit, and the signatures of the pinned packages.
"""

import ast
import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kohya_wrap.errors import Problem

WHERE = "optimizer.optimizer"
WHERE_ARGS = "optimizer.optimizer_args"


@dataclass(frozen=True, slots=True)
class Optimizer:
    """One optimizer. `args`: accepted argument names, the learning rate left out.

    `kind`: how it treats learning rates and schedules. `full_precision`: for those of bitsandbytes, which run on CUDA
    only, the one that does the same with 32-bit states. `betas`: how many numbers its betas are. `exact`: the engine
    takes it from torch.optim, in this very spelling; all others are found in any case.
    """

    name: str
    args: tuple[str, ...]
    kind: Literal["plain", "dadapt", "adafactor", "schedulefree"] = "plain"
    full_precision: str = ""
    betas: int = 2
    exact: bool = False

    @property
    def needs_cuda(self) -> bool:
        """Whether it comes from bitsandbytes."""
        return bool(self.full_precision)


_BNB = ("weight_decay", "args", "min_8bit_size")
_BNB_ADAM = ("betas", "eps", "amsgrad", "optim_bits", *_BNB)
_ADAM = ("betas", "eps", "weight_decay", "amsgrad", "maximize", "foreach", "capturable", "differentiable", "fused")
_SGD = ("momentum", "dampening", "weight_decay", "maximize", "foreach", "differentiable", "fused")
_TORCH = ("eps", "weight_decay", "maximize", "foreach", "capturable", "differentiable")
_DADAPT = ("weight_decay", "log_every", "d0")
_DADAPT_ADAM = ("betas", "eps", "decouple", "growth_rate", "fsdp_in_use", *_DADAPT)
_DADAPT_ADAN = ("betas", "eps", "no_prox", "growth_rate", *_DADAPT)
_FREE = ("weight_decay", "r", "weight_lr_power", "foreach")

_ALL = (
    Optimizer("AdamW8bit", (*_BNB_ADAM, "is_paged"), full_precision="AdamW"),
    Optimizer("PagedAdamW8bit", _BNB_ADAM, full_precision="AdamW"),
    Optimizer("PagedAdamW", _BNB_ADAM, full_precision="AdamW"),
    Optimizer("PagedAdamW32bit", _BNB_ADAM, full_precision="AdamW"),
    Optimizer("Lion8bit", ("betas", "is_paged", *_BNB), full_precision="Lion"),
    Optimizer("PagedLion8bit", ("betas", *_BNB), full_precision="Lion"),
    Optimizer("SGDNesterov8bit", ("momentum", "dampening", *_BNB), full_precision="SGDNesterov"),
    Optimizer("AdamW", _ADAM),
    Optimizer("SGDNesterov", _SGD),
    Optimizer("Lion", ("betas", "weight_decay", "use_triton", "decoupled_weight_decay")),
    Optimizer(
        "Prodigy",
        (
            *("betas", "beta3", "eps", "weight_decay", "decouple", "use_bias_correction", "safeguard_warmup"),
            *("d0", "d_coef", "growth_rate", "fsdp_in_use", "slice_p"),
        ),
        kind="dadapt",
    ),
    Optimizer("DAdaptation", _DADAPT_ADAM, kind="dadapt"),
    Optimizer("DAdaptAdamPreprint", _DADAPT_ADAM, kind="dadapt"),
    Optimizer("DAdaptAdam", (*_DADAPT_ADAM, "use_bias_correction"), kind="dadapt"),
    Optimizer("DAdaptLion", ("betas", "fsdp_in_use", *_DADAPT), kind="dadapt"),
    Optimizer("DAdaptSGD", ("momentum", "growth_rate", "fsdp_in_use", *_DADAPT), kind="dadapt"),
    Optimizer("DAdaptAdaGrad", ("momentum", "eps", "growth_rate", *_DADAPT), kind="dadapt"),
    Optimizer("DAdaptAdan", _DADAPT_ADAN, kind="dadapt", betas=3),
    Optimizer("DAdaptAdanIP", _DADAPT_ADAN, kind="dadapt", betas=3),
    Optimizer(
        "AdaFactor",
        (
            *("eps", "clip_threshold", "decay_rate", "beta1", "weight_decay"),
            *("scale_parameter", "relative_step", "warmup_init"),
        ),
        kind="adafactor",
    ),
    Optimizer("AdamWScheduleFree", ("betas", "eps", "warmup_steps", *_FREE), kind="schedulefree"),
    Optimizer("RAdamScheduleFree", ("betas", "eps", "silent_sgd_phase", *_FREE), kind="schedulefree"),
    Optimizer("SGDScheduleFree", ("momentum", "warmup_steps", *_FREE), kind="schedulefree"),
    Optimizer("Adam", (*_ADAM, "decoupled_weight_decay"), exact=True),
    Optimizer("NAdam", ("betas", "momentum_decay", "decoupled_weight_decay", *_TORCH), exact=True),
    Optimizer("RAdam", ("betas", "decoupled_weight_decay", *_TORCH), exact=True),
    Optimizer("Adamax", ("betas", *_TORCH), exact=True),
    Optimizer("RMSprop", ("alpha", "momentum", "centered", *_TORCH), exact=True),
    Optimizer("SGD", (*_SGD, "nesterov"), exact=True),
)
OPTIMIZERS: Mapping[str, Optimizer] = {optimizer.name.lower(): optimizer for optimizer in _ALL}
"""Every optimizer known by name, by its name in lower case."""

_OWN_FIELDS = {"lr": "learning.unet_lr and learning.text_encoder_lr", "params": "the engine"}


def find_optimizer(name: str) -> Optimizer | None:
    """Give the optimizer of that name, in any case as sd-scripts takes it; None for a class path or an unknown one."""
    return OPTIMIZERS.get(name.lower())


def adapts_learning_rate(name: str) -> bool:
    """Say whether the notebook's overrides for Prodigy and dadapt are about this optimizer.

    Source: Lora_Trainer tests for "prodigy" and for a name with "dadapt" in it.
    """
    return name.lower() == "prodigy" or "dadapt" in name.lower()


def check_optimizer(name: str) -> list[Problem]:
    """List what is wrong with an optimizer's name; a class path is a warning, since its arguments go unchecked."""
    known = find_optimizer(name)
    if known is not None:
        spelt = not known.exact or known.name == name
        return [] if spelt else [Problem(WHERE, f"the engine finds {name!r} in its exact spelling only", known.name)]
    if "." in name:
        if all(part.isidentifier() for part in name.split(".")):
            return [Problem(WHERE, f"{name} is taken as a class path; nothing about it is checked", "", "warning")]
        return [Problem(WHERE, f"{name!r} is no class path", 'write it as "package.module.Class"')]
    return [Problem(WHERE, f"no optimizer is called {name!r}", _advice(name, [entry.name for entry in _ALL]))]


def parse_optimizer_args(name: str, args: Sequence[str]) -> tuple[dict[str, object], list[Problem]]:
    """Read "key=value" arguments of an optimizer, each value a Python literal, and list what is wrong with them.

    Unknown keys are refused for a known optimizer. What is wrong is left out of the values.
    """
    values: dict[str, object] = {}
    problems: list[Problem] = []
    for arg in args:
        key, equals, text = arg.partition("=")
        found = list(_shape_problems(arg, key, equals, text)) or list(_key_problems(name, key))
        if key in values:
            found.append(Problem(WHERE_ARGS, f"{key} is given twice; the engine takes the last", "keep one of them"))
        problems += found
        if not found:
            try:
                values[key] = ast.literal_eval(text)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                problems.append(Problem(WHERE_ARGS, f"{text!r} in {arg!r} is no Python value", _value_advice(text)))
    return values, problems


def _shape_problems(arg: str, key: str, equals: str, text: str) -> Iterator[Problem]:
    if not equals or not key or not text:
        yield Problem(WHERE_ARGS, f"{arg!r} is not of the form key=value", 'for example "weight_decay=0.1"')
    elif "=" in text:
        todo = 'give each its own entry: ["weight_decay=0.1", "betas=[0.9,0.99]"]'
        yield Problem(WHERE_ARGS, f"{arg!r} holds more than one =", todo)
    elif key != key.strip() or text != text.strip():
        todo = f'write "{key.strip()}={text.strip()}"'
        yield Problem(WHERE_ARGS, f"{arg!r} has spaces around =, which become part of the name", todo)


def _key_problems(name: str, key: str) -> Iterator[Problem]:
    optimizer = find_optimizer(name)
    if key in _OWN_FIELDS:
        yield Problem(WHERE_ARGS, f"{key} is what {_OWN_FIELDS[key]} sets", "remove it here")
    elif optimizer is not None and key not in optimizer.args:
        yield Problem(WHERE_ARGS, f"{optimizer.name} takes no {key!r}", _advice(key, list(optimizer.args)))


def _advice(name: str, names: list[str]) -> str:
    by_lower = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f'did you mean "{by_lower[near[0]]}"?' if near else f"it can be: {', '.join(names)}"


def _value_advice(text: str) -> str:
    spelt = {"true": "True", "false": "False", "none": "None", "null": "None"}.get(text.lower())
    return f"write {spelt}" if spelt else "a number, True, False, None, a list like [0.9,0.99], or a text in quotes"
