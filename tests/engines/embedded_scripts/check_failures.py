"""Trainings that cannot be: what the script says and whether it leaves anything."""

import shutil
from typing import Any

from material import Run, World


def _told(run: Run) -> Any:
    return {"code": run.code, "lines": run.text.splitlines(), "files": run.files}


def check_bases(world: World) -> Any:
    """Base models that are not whole: a part missing, a single file, nothing."""
    found = {}
    for part in ("unet", "vae", "text_encoder", "tokenizer", "model_index.json"):
        broken = world.work / "broken" / part
        shutil.copytree(world.base, broken, ignore=shutil.ignore_patterns(part))
        found[part] = _told(world.train(f"no {part}", pretrained_model_name_or_path=str(broken)))
    file = world.work / "single.safetensors"
    file.write_bytes(b"x" * 64)
    found["single file"] = _told(world.train("single", pretrained_model_name_or_path=str(file)))
    return found


def check_refusals(world: World) -> Any:
    """Options that are not honoured end the script before it loads anything."""
    empty = world.work / "empty"
    empty.mkdir()
    twice = [{"image_dir": str(world.pictures), "num_repeats": 1}] * 2
    return {
        "option": _told(world.train("refused", noise_offset=0.1, v_parameterization=True)),
        "no pictures": _told(world.train("no pictures", subsets=[{"image_dir": str(empty)}])),
        "no folder": _told(world.train("no folder", subsets=[{"image_dir": str(empty / "x")}])),
        "no repeats": _told(world.train("0", subsets=[{"image_dir": str(world.pictures), "num_repeats": 0}])),
        "nothing trained": _told(
            world.train("nothing", network_train_unet_only=True, network_train_text_encoder_only=True)
        ),
        "folder twice": _told(world.train("twice", subsets=twice, max_train_epochs=1)),
    }
