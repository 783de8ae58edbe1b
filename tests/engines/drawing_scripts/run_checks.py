"""Runs in the engine's environment: does every check of this folder once and writes what it found as JSON.

Each check gives facts; the tests, which run in the wrapper's environment, say what the facts have to be.
"""

import importlib
import json
import sys
import traceback
from pathlib import Path

import torch

MODULES = ("check_samplers", "check_loras", "check_prompts", "check_models", "check_sdxl")


def main() -> None:
    """Take the drawing scripts' folder, the embedded engine's, a folder to work in, and the file to write."""
    scripts, embedded, work, result = (Path(argument) for argument in sys.argv[1:])
    sys.path[:0] = [str(scripts), str(Path(__file__).parent)]
    # Behind all others: both folders have a module `lora` and a module `lines`.
    sys.path.append(str(embedded))
    importlib.import_module("make_base").make_base(work / "base", seed=0)
    facts = {}
    for module in MODULES:
        for name, check in list(vars(importlib.import_module(module)).items()):
            if name.startswith("check_"):
                try:
                    with torch.no_grad():
                        facts[name] = check(work)
                except Exception:  # noqa: BLE001 - one check that fails must not hide what the others found
                    facts[name] = {"raised": traceback.format_exc()}
    result.write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
