"""Whole trainings of a few steps: lengths, files, seeds, precision, checkpointing, clipping."""

import re
from typing import Any

import torch
from material import Run, World
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

STEPPED = {"optimizer_type": "SGD", "max_train_steps": 1, "max_train_epochs": None}


def _plain(world: World) -> Run:
    return world.train("plain")


def _distance(one: Run, other: Run) -> float:
    """Give the largest difference between two LoRAs' tensors."""
    mine, theirs = one.tensors(), other.tensors()
    assert mine.keys() == theirs.keys()
    return max(float((mine[key] - theirs[key]).abs().max()) for key in mine)


def check_seeds(world: World) -> Any:
    """The same training again, with another seed, and with none."""
    again, other, none = world.train("again"), world.train("other", seed=43), world.train("none", seed=None)
    zero = world.train("zero", seed=0)
    return {
        "again": _distance(_plain(world), again),
        "other": _distance(_plain(world), other),
        "none": [_distance(none, zero), none.metadata()["ss_seed"]],
    }


def check_variants(world: World) -> Any:
    """How far options that should not change a result, or should, move it."""
    variants = {
        "gradient_checkpointing": {"gradient_checkpointing": True},
        "sdpa": {"sdpa": None},
        "min_snr_gamma": {"min_snr_gamma": 5.0},
        "clip_skip": {"clip_skip": 2},
    }
    runs = {name: world.train(name, **options) for name, options in variants.items()}
    return {name: [run.code, _distance(_plain(world), run)] for name, run in runs.items()}


def check_clipping(world: World) -> Any:
    """One step of plain descent at rate 1 moves by the gradient itself: its length with and without max_grad_norm."""
    rates = {"unet_lr": 1.0, "text_encoder_lr": 1.0}
    found = {}
    for norm in (1e-6, 0.0):
        tensors = world.train(f"norm {norm}", max_grad_norm=norm, **rates, **STEPPED).tensors()
        ups = [tensor.flatten() for key, tensor in tensors.items() if "lora_up" in key]
        found[str(norm)] = float(torch.cat(ups).norm())
    return found


def check_going_on(world: World) -> Any:
    """A training that goes on from a file, with a step too small to see, gives the file's tensors."""
    file = _plain(world).folder / "t.safetensors"
    rates = {"unet_lr": 1e-20, "text_encoder_lr": 1e-20}
    run = world.train("going on", network_weights=str(file), **rates, **STEPPED)
    return {"moved": _distance(_plain(world), run), "said": f"load network weights from {file}" in run.text}


def check_lengths(world: World) -> Any:
    """Epochs, steps, and both: the files, and what they say of themselves."""
    cases = {
        "epochs": {"max_train_epochs": 3, "save_every_n_epochs": 1},
        "every second": {"max_train_epochs": 4, "save_every_n_epochs": 2},
        "last two": {"max_train_epochs": 4, "save_every_n_epochs": 1, "save_last_n_epochs": 2},
        "steps": {"max_train_epochs": None, "max_train_steps": 3, "save_every_n_epochs": 1},
        "both": {"max_train_epochs": 1, "max_train_steps": 7},
    }
    found = {}
    for name, options in cases.items():
        run = world.train(name, **options)
        kept = ("ss_steps", "ss_epoch", "ss_num_epochs", "ss_max_train_steps", "ss_num_batches_per_epoch")
        found[name] = {
            "files": {file: [run.metadata(file)[key] for key in kept] for file in run.files},
            "removed": re.findall(r"removing old checkpoint: .*?(\S+)$", run.text, re.MULTILINE),
            "announced": re.findall(r"total optimization steps: (\d+)", run.text),
        }
    return found


def check_parts(world: World) -> Any:
    """The prefixes of what is saved when only one part is trained, and whether it moved."""
    found = {}
    for part, rate in (("unet", "text_encoder_lr"), ("text_encoder", "unet_lr")):
        run = world.train(part, **{f"network_train_{part}_only": True, rate: 0.0})
        tensors = run.tensors()
        moved = [bool(tensor.any()) for key, tensor in tensors.items() if "lora_up" in key]
        said = re.findall(r"(create|enable) LoRA for (.*?): (\d+) modules", run.text)
        found[part] = {
            "prefixes": sorted({"_".join(key.split("_")[:2]) for key in tensors}),
            "moved": all(moved),
            "said": [" ".join(words) for words in said],
            "rates": [run.metadata()[key] for key in ("ss_unet_lr", "ss_text_encoder_lr")],
        }
    return found


def check_rates(world: World) -> Any:
    """The learning rates and losses as TensorBoard has them after each step."""
    logs = world.work / "logs"
    warm = {"lr_scheduler": "linear", "lr_warmup_steps": 2, "max_train_epochs": 2}
    run = world.train("rates", logging_dir=str(logs), log_prefix="t", **warm)
    (folder,) = logs.glob("t*/network_train")
    events = EventAccumulator(str(folder)).Reload()
    tags = ("lr/unet", "lr/textencoder", "loss/current", "loss/average", "loss/epoch_average")
    scalars = {tag: [[event.step, event.value] for event in events.Scalars(tag)] for tag in tags}
    return {"scalars": scalars, "code": run.code}


def check_precisions(world: World) -> Any:
    """The types of the saved tensors by save_precision."""
    found = {}
    for precision in ("float", "fp16", "bf16"):
        run = world.train(f"saved {precision}", save_precision=precision, **STEPPED)
        found[precision] = sorted({str(tensor.dtype) for tensor in run.tensors().values()})
    return found
