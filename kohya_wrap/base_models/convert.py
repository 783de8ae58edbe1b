"""Have a .ckpt turned into .safetensors by a separate process of the engine's Python."""

import os
import subprocess
from pathlib import Path

from kohya_wrap.base_models.errors import NotAModelError, PickleRefusedError
from kohya_wrap.base_models.header import looks_like
from kohya_wrap.base_models.redact import redact

_SCRIPT = Path(__file__).with_name("convert_ckpt.py")
_KEPT_VARIABLES = ("PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR", "LANG", "SYSTEMROOT")
"""What the process may know of this one's environment: no token is among it."""


def convert(source: Path, target: Path, *, python: Path | None, name: str) -> None:
    """Write the tensors of the pickle `source` to `target`, which must not exist; `name` is for messages.

    Raises PickleRefusedError when there is no Python with torch, or when the pickle holds more than tensors.
    """
    if python is None or not python.exists():
        todo = "run kohya-wrap setup first, or give the model as .safetensors"
        raise PickleRefusedError(f"{name} is a pickle, and the environment that converts it is not set up", todo=todo)
    with source.open("rb") as file:
        looks = looks_like(file.read(64))
    if looks and "pickle" not in looks:
        raise NotAModelError(f"{name} is {looks}", todo="download it again, or give another file")
    env = {key: os.environ[key] for key in _KEPT_VARIABLES if key in os.environ}
    argv = (str(python), "-I", str(_SCRIPT), str(source), str(target))
    done = subprocess.run(argv, env=env, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0 and target.is_file():
        return
    target.unlink(missing_ok=True)
    said = (done.stdout.strip() or done.stderr.strip()).splitlines()
    why = redact(said[-1][:300]) if said else f"the process ended with code {done.returncode}"
    todo = "give the model as .safetensors; most hosts have one"
    raise PickleRefusedError(f"{name} is not converted: {why}", todo=todo)
