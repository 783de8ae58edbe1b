"""Optimizers by name, and the arguments each one takes."""

import json
import os
import subprocess

import pytest

from kohya_wrap.config.optimizers import OPTIMIZERS, Optimizer, check_optimizer, find_optimizer, parse_optimizer_args
from kohya_wrap.paths import CachePaths

NOTEBOOK = (
    *("AdamW8bit", "Prodigy", "DAdaptation", "DadaptAdam", "DadaptLion", "AdamW", "Lion"),
    *("SGDNesterov", "SGDNesterov8bit", "AdaFactor"),
)
SD_SCRIPTS = (
    *("Lion8bit", "PagedAdamW8bit", "PagedLion8bit", "PagedAdamW", "PagedAdamW32bit", "DAdaptAdamPreprint"),
    *("DAdaptAdaGrad", "DAdaptAdam", "DAdaptAdan", "DAdaptAdanIP", "DAdaptLion", "DAdaptSGD", "Adafactor"),
    *("RAdamScheduleFree", "AdamWScheduleFree", "SGDScheduleFree"),
)


@pytest.mark.parametrize("name", NOTEBOOK + SD_SCRIPTS)
def test_every_name_of_the_notebook_and_the_engine_is_known(name: str) -> None:
    """A name that the notebook offers or sd-scripts lists is no problem, in its own spelling."""
    assert find_optimizer(name) is not None
    assert check_optimizer(name) == []


@pytest.mark.parametrize("name", ["adamw8bit", "PRODIGY", "adafactor", "dadaptadam"])
def test_names_are_found_in_any_case(name: str) -> None:
    """sd-scripts lowers the names of its own list, and so do we."""
    assert check_optimizer(name) == []


def test_a_torch_optimizer_needs_its_exact_spelling() -> None:
    """The engine looks these up as attributes of torch.optim: rmsprop would fail after the model is loaded."""
    assert check_optimizer("RMSprop") == []
    (problem,) = check_optimizer("rmsprop")
    assert problem.severity == "error"
    assert problem.todo == "RMSprop"


def test_an_unknown_name_gets_the_nearest() -> None:
    """A misspelt optimizer is an error that says which was meant."""
    (problem,) = check_optimizer("Prodgy")
    assert problem.where == "optimizer.optimizer"
    assert problem.severity == "error"
    assert '"Prodigy"' in problem.todo


def test_a_name_like_nothing_gets_the_list() -> None:
    """Where nothing is near, all names are given."""
    (problem,) = check_optimizer("xyz")
    assert "Prodigy" in problem.todo
    assert "AdamW8bit" in problem.todo


def test_a_class_path_is_a_warning() -> None:
    """Any other class may be used by its dotted path; that nothing is checked is said."""
    (problem,) = check_optimizer("pytorch_optimizer.CAME")
    assert problem.severity == "warning"


def test_a_broken_class_path_is_an_error() -> None:
    """A dotted text that is no path is refused."""
    (problem,) = check_optimizer("pytorch_optimizer..CAME")
    assert problem.severity == "error"


def test_values_are_python_literals() -> None:
    """Arguments become the values that the engine's own literal_eval gives."""
    args = ["weight_decay=0.1", "betas=[0.9,0.99]", "use_bias_correction=True", "beta3=None", "d0=1e-6"]
    values, problems = parse_optimizer_args("Prodigy", args)
    assert problems == []
    assert values == {"weight_decay": 0.1, "betas": [0.9, 0.99], "use_bias_correction": True, "beta3": None, "d0": 1e-6}


def test_zero_and_false_are_values() -> None:
    """0 and False are not dropped."""
    values, _ = parse_optimizer_args("AdamW", ["weight_decay=0", "amsgrad=False"])
    assert values == {"weight_decay": 0, "amsgrad": False}


@pytest.mark.parametrize(
    ("arg", "what", "todo"),
    [
        ("weight_decy=0.1", "takes no 'weight_decy'", '"weight_decay"'),
        ("weight_decay = 0.1", "spaces around =", '"weight_decay=0.1"'),
        ("weight_decay= 0.1", "spaces around =", '"weight_decay=0.1"'),
        ("weight_decay", "not of the form", "weight_decay=0.1"),
        ("=0.1", "not of the form", "weight_decay=0.1"),
        ("weight_decay=", "not of the form", "weight_decay=0.1"),
        ("weight_decay=0.1,betas=[0.9,0.99]", "more than one =", "its own entry"),
        ("amsgrad=true", "no Python value", "write True"),
        ("weight_decay=abc", "no Python value", "a number"),
        ("weight_decay=__import__('os')", "no Python value", "a number"),
        ("lr=1e-4", "learning.unet_lr", "remove it here"),
    ],
)
def test_a_wrong_argument_is_refused(arg: str, what: str, todo: str) -> None:
    """What the engine would mangle, refuse late or ignore is one error that says how to write it."""
    values, (problem,) = parse_optimizer_args("AdamW", [arg])
    assert values == {}
    assert problem.where == "optimizer.optimizer_args"
    assert what in problem.what
    assert todo in problem.todo


def test_an_argument_given_twice_is_refused() -> None:
    """The engine would take the last without a word."""
    _, (problem,) = parse_optimizer_args("AdamW", ["eps=1e-8", "eps=1e-6"])
    assert "twice" in problem.what


def test_a_class_path_takes_any_argument() -> None:
    """What is not known is not guessed at; its form is still checked."""
    values, problems = parse_optimizer_args("some.Class", ["anything=1", "bad"])
    assert values == {"anything": 1}
    assert len(problems) == 1


def test_every_8bit_optimizer_names_a_full_precision_one() -> None:
    """What runs on CUDA only says what to use elsewhere, and that does not need CUDA."""
    for optimizer in OPTIMIZERS.values():
        if optimizer.name.lower().endswith("8bit") or optimizer.name.startswith("Paged"):
            assert optimizer.needs_cuda
        if optimizer.needs_cuda:
            other = find_optimizer(optimizer.full_precision)
            assert other is not None
            assert not other.needs_cuda


SIGNATURES = """
import importlib, inspect, json, sys
modules = ["bitsandbytes.optim", "dadaptation", "dadaptation.experimental", "prodigyopt", "lion_pytorch"]
classes = {}
for module in [*modules, "schedulefree", "torch.optim"]:
    classes.update({k.lower(): v for k, v in vars(importlib.import_module(module)).items() if inspect.isclass(v)})
from transformers.optimization import Adafactor
classes["adafactor"] = Adafactor
aliases = {"dadaptation": "dadaptadampreprint", "sgdnesterov": "sgd", "sgdnesterov8bit": "sgd8bit"}
print(json.dumps({
    name: [p for p in inspect.signature(classes[aliases.get(name, name)].__init__).parameters]
    for name in sys.argv[1:]
}))
"""


@pytest.fixture
def engine_python() -> str:
    """Give the engine's python: KOHYA_WRAP_TEST_ENGINE_PYTHON, else the newest that setup built."""
    if given := os.environ.get("KOHYA_WRAP_TEST_ENGINE_PYTHON"):
        return given
    built = list(CachePaths.from_environment().environments.glob("[!.]*/bin/python"))
    if not built:
        pytest.skip("the engine's environment is not there: make setup")
    return str(max(built, key=lambda path: path.lstat().st_mtime))


@pytest.mark.engine
def test_arguments_are_those_of_the_real_classes(engine_python: str) -> None:
    """Every argument listed is one of the installed class, and none of the class is missing."""
    command = (engine_python, "-c", SIGNATURES, *OPTIMIZERS)
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    real: dict[str, list[str]] = json.loads(done.stdout.strip().splitlines()[-1])
    fixed = {"sgdnesterov": {"nesterov"}, "sgdnesterov8bit": {"nesterov"}}
    for name, optimizer in OPTIMIZERS.items():
        assert isinstance(optimizer, Optimizer)
        expected = {*real[name]} - {"self", "params", "lr"} - fixed.get(name, set())
        assert {*optimizer.args} == expected, name
