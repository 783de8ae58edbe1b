"""LoRA files: their metadata, their hashes, and that no half of one is ever seen."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

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
