"""Runs in the engine's environment: does every check of this folder once and writes what it found as JSON.

Starting torch takes seconds, so all tests of the embedded engine share one process. Each check gives facts; the
tests, which run in the wrapper's environment, say what the facts have to be.
"""

import importlib
import json
import sys
import time
import traceback
from pathlib import Path

MODULES = ("check_network", "check_data", "check_steps", "check_runs", "check_saving", "check_failures")


def main() -> None:
    """Take the engine's folder, a folder to work in, and the file to write."""
    embedded, work, result = (Path(argument) for argument in sys.argv[1:])
    sys.path[:0] = [str(embedded), str(Path(__file__).parent)]
    material = importlib.import_module("material")
    world = material.World(base=material.make_toy_base(work / "base"), work=work)
    facts = {}
    for module in MODULES:
        for name, check in list(vars(importlib.import_module(module)).items()):
            if name.startswith("check_"):
                started = time.perf_counter()
                try:
                    facts[name] = check(world)
                except Exception:  # noqa: BLE001 - one check that fails must not hide what the others found
                    facts[name] = {"raised": traceback.format_exc()}
                print(f"{name}: {time.perf_counter() - started:.1f} s", flush=True)  # noqa: T201 - for whoever is slow
    result.write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
