"""Turn a pickle checkpoint into .safetensors. Run as a script by the engine's Python, never imported by the wrapper.

    python -I convert_ckpt.py SOURCE.ckpt TARGET.safetensors

Only torch.load(weights_only=True) of torch 2.10 or newer is trusted with the pickle (older ones can be made to run code
even so: CVE-2025-32434, CVE-2026-24747). The last line on stdout says why, when the exit code is not 0.
"""

import pickle
import re
import sys

import torch  # type: ignore[import-not-found,unused-ignore]
from safetensors.torch import save_file

OLDEST_TORCH = (2, 10)
REFUSED = 3


def main(source: str, target: str) -> int:
    """Convert `source` into `target`; 0 when it is written."""
    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if version < OLDEST_TORCH:
        return refuse(f"torch {torch.__version__} is not safe with pickles; 2.10 or newer is")
    try:
        loaded = torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        wants = f" (it wants {found[1]})" if found else ""
        return refuse(f"it holds more than tensors and plain values, which could run code{wants}")
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        return refuse(f"it cannot be read ({type(error).__name__})")
    tensors = tensors_of(loaded)
    if not tensors:
        return refuse("there are no tensors in it")
    save_file(tensors, target, metadata={"format": "pt"})
    return 0


def tensors_of(loaded: object) -> dict[str, "torch.Tensor"]:
    """Take the tensors out of what was loaded, each with its own memory; the rest (optimizer, counters) is dropped."""
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else {}
    if not isinstance(state, dict):
        return {}
    return {
        str(name): value.detach().clone().contiguous()
        for name, value in state.items()
        if hasattr(value, "detach") and hasattr(value, "contiguous")
    }


def refuse(why: str) -> int:
    """Say why, for the caller to show."""
    sys.stdout.write(why + "\n")
    return REFUSED


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:3]))
