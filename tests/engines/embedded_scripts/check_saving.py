"""LoRA files: their metadata, their hashes, and that no half of one is ever seen."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keeping
import saving
import torch
from material import World


def check_metadata(world: World) -> Any:
    """The metadata of a training with two folders, with the SHA256 of the tensor bytes and the times around it."""
    subsets = [
        {"image_dir": str(world.pictures), "num_repeats": 2, "flip_aug": True, "keep_tokens": 1},
        {"image_dir": str(world.work / "second" / "pictures"), "num_repeats": 1, "class_tokens": "Thing"},
    ]
    (world.work / "second").mkdir()
    second = world.work / "second" / "pictures"
    second.mkdir()
    (second / "three.png").write_bytes((world.pictures / "one.png").read_bytes())
    before = time.time()
    options = {"optimizer_args": ["weight_decay=0.1"], "gradient_checkpointing": True, "min_snr_gamma": 5.0}
    run = world.train("metadata", subsets=subsets, clip_skip=2, max_token_length=150, **options)
    content = (run.folder / "t.safetensors").read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    return {
        "metadata": run.metadata(),
        "tensors_sha256": hashlib.sha256(content[header:]).hexdigest(),
        "times": [before, time.time()],
        "base": world.base.name,
        "said": [line.strip() for line in run.text.splitlines()],
    }


def check_half_a_file(world: World) -> Any:
    """What lies under the final name while a save goes on and after it broke, the disk being full."""
    folder = world.work / "half"
    folder.mkdir()
    file = folder / "t.safetensors"
    tensors = {"a.alpha": torch.ones(3)}
    found: dict[str, Any] = {}

    def broken(_: Any, target: Path, __: Any) -> None:
        target.write_bytes(b"half")
        found["during"] = [path.name for path in folder.iterdir() if path.suffix == ".safetensors"]
        raise OSError(28, "No space left on device")

    whole, saving.save_file = saving.save_file, broken
    try:
        saving.save_lora(file, tensors, {"ss_clip_skip": "1"}, steps=1, epoch=1, title="t")
    except OSError as error:
        found["raised"] = str(error)
    finally:
        saving.save_file = whole
    found["after"] = [path.name for path in folder.iterdir()]
    saving.save_lora(file, tensors, {"ss_clip_skip": "1"}, steps=1, epoch=1, title="t")
    found["good"] = [path.name for path in folder.iterdir()]
    return json.loads(json.dumps(found))


def check_power_loss(world: World) -> Any:
    """What is synced, renamed and removed, in order, in a training of two epochs that keeps one state."""
    done: list[tuple[str, str]] = []

    def noted(what: str, act: Callable[..., Any], name: Callable[[Any], str]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            done.append((what, name(arguments[-1] if what == "rename" else arguments[0])))
            return act(*arguments, **options)

        return call

    fsync, replace, rmtree = os.fsync, os.replace, shutil.rmtree
    os.fsync = noted("sync", fsync, lambda descriptor: str(Path(f"/proc/self/fd/{descriptor}").readlink()))
    os.replace = noted("rename", replace, str)
    keeping.shutil.rmtree = noted("remove", rmtree, str)
    try:
        states = {"save_state": True, "save_last_n_epochs_state": 1, "save_every_n_epochs": 1}
        run = world.train("power-loss", max_train_epochs=3, **states)
    finally:
        os.fsync, os.replace, keeping.shutil.rmtree = fsync, replace, rmtree
    return {"done": [(what, str(Path(name).relative_to(run.folder.parent))) for what, name in done], "code": run.code}
