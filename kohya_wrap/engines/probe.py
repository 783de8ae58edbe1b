"""Says, as one line of JSON, what an engine's environment holds and what of it works. Run by that environment's python.

A package that is installed need not work: xformers and bitsandbytes each take one small step on the GPU here.
Imports nothing of kohya_wrap, so that any Python from 3.10 on can run it.
"""

import importlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Callable
from typing import Any

PACKAGES = (
    "torch", "torchvision", "xformers", "triton", "accelerate", "transformers", "tokenizers", "diffusers", "peft",
    "bitsandbytes", "safetensors", "huggingface-hub", "numpy", "opencv-python", "tensorboard", "toml", "rich", "tqdm",
    "lycoris-lora", "prodigyopt", "prodigy-plus-schedule-free", "dadaptation", "lion-pytorch", "schedulefree",
    "pytorch-optimizer",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Give the versions of the packages that matter to a result, those that are there."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def attend_with_xformers(torch: Any) -> None:
    """Take one step of xformers' attention on the GPU."""
    ops = importlib.import_module("xformers.ops")
    some = torch.randn(1, 16, 2, 40, device="cuda", dtype=torch.float16)
    ops.memory_efficient_attention(some, some, some)
    torch.cuda.synchronize()


def step_with_bitsandbytes(torch: Any) -> None:
    """Take one step of an 8-bit optimizer on the GPU."""
    optimizers = importlib.import_module("bitsandbytes.optim")
    weight = torch.nn.Parameter(torch.ones(128, 128, device="cuda"))
    weight.grad = torch.ones_like(weight)
    optimizers.AdamW8bit([weight]).step()
    torch.cuda.synchronize()


def attempt(step: Callable[[Any], None], torch: Any) -> str:
    """Give the empty string where the step works, else the first line of why it does not."""
    try:
        step(torch)
    except Exception as error:  # noqa: BLE001 - whatever a broken binary raises is the answer
        return f"{type(error).__name__}: {error}".splitlines()[0][:300]
    return ""


def facts() -> dict[str, Any]:
    """Gather everything."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "versions": versions(),
        "cuda": False,
        "gpus": [],
        "errors": {},
    }
    try:
        torch = importlib.import_module("torch")
    except Exception as error:  # noqa: BLE001 - likewise
        found["errors"]["torch"] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        return found
    found["cuda_version"] = torch.version.cuda or ""
    found["cuda"] = bool(torch.cuda.is_available())
    if found["cuda"]:
        found["gpus"] = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        steps = (("xformers", attend_with_xformers), ("bitsandbytes", step_with_bitsandbytes))
        for name, step in steps:
            found["errors"][name] = attempt(step, torch)
    return found


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(facts()) + "\n")
