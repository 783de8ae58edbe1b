"""Stands in for an engine's python: answers the probe, makes a base, launches as accelerate does, and draws.

Its first argument is the fake engine's folder; the others are what a python would get. A picture is of one colour, that
of its LoRA's weight; `before_picture(number)` of fault.py is called before each, from 1.
"""

import json
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from kohya_wrap.engines.drawing.scripts.lines import MARK

PACKAGES = dict.fromkeys(("torch", "accelerate", "transformers", "diffusers", "safetensors"), "1.0")


def main() -> int:
    """Do what the arguments ask."""
    home, arguments = Path(sys.argv[1]), sys.argv[2:]
    if "accelerate.commands.launch" in arguments:
        return _launch(home, arguments[arguments.index("--config_file", 4) :])
    if "--out" in arguments:
        base = Path(arguments[arguments.index("--out") + 1])
        (base / "unet").mkdir(parents=True)
        (base / "model_index.json").write_text("{}")
        return 0
    if arguments[0].endswith("draw.py"):
        return _draw(home, json.loads(Path(arguments[1]).read_text(encoding="utf-8")))
    facts = {"python": "3.11.9", "versions": PACKAGES, "cuda": False, "gpus": [], "errors": {}}
    print(json.dumps(facts))  # noqa: T201 - the answer to a probe
    return 0


def _launch(home: Path, arguments: list[str]) -> int:
    """Start the trainer as a process of its own and end with 1 if it fails, with accelerate's own words."""
    command = (sys.executable, str(Path(__file__).with_name("fake_trainer.py")), str(home), *arguments)
    child = subprocess.Popen(command)
    (home / "launched.json").write_text(json.dumps([child.pid]))
    code = child.wait()
    if code == 0:
        return 0
    how = (
        f"died with <Signals.{signal.Signals(-code).name}: {-code}>"
        if code < 0
        else f"returned non-zero exit status {code}"
    )
    sys.stderr.write('Traceback (most recent call last):\n  File "launch.py", line 1, in simple_launcher\n')
    sys.stderr.write(f"subprocess.CalledProcessError: Command '['python']' {how}.\n")
    return 1


def _draw(home: Path, job: dict[str, Any]) -> int:
    fault = runpy.run_path(str(home / "fault.py"))
    (home / "drawings").open("a").write("loaded\n")
    for number, picture in enumerate(job["pictures"]):
        if "before_picture" in fault:
            fault["before_picture"](number + 1)
        weight = sum(lora["weight"] for lora in picture["loras"])
        chunks = PngInfo()
        chunks.add_text("parameters", picture["parameters"])
        size = (picture["width"], picture["height"])
        image = Image.new("RGB", size, (round(200 * min(weight, 1)), 90, 120))
        part = Path(picture["target"] + ".part")
        image.save(part, "PNG", pnginfo=chunks)
        part.replace(picture["target"])
        print(MARK + json.dumps({"drawn": number, "seconds": 0.1, "notes": []}), flush=True)  # noqa: T201 - its answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
