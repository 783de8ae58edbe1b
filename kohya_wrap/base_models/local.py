"""Base models that are on this machine already: a .safetensors file or a diffusers folder."""

import difflib
import re
from pathlib import Path
from urllib.parse import unquote

from kohya_wrap.base_models.errors import NotAModelError, NotFoundError, PickleRefusedError
from kohya_wrap.base_models.identify import identify, identify_vae_folder
from kohya_wrap.base_models.located import Wanted
from kohya_wrap.base_models.suitable import check_suitable, refuse_pickle
from kohya_wrap.base_models.types import BaseModelFile
from kohya_wrap.files import kind_of
from kohya_wrap.paths import expanded

PICKLES = frozenset({".ckpt", ".pt", ".pth", ".bin"})
_MODEL_ENDINGS = PICKLES | {".safetensors"}
_LOOKS_LIKE_PATH = re.compile(r"^(~|\.{1,2}/|/|[A-Za-z]:[\\/])")


def local_path(text: str, root: Path) -> Path | None:
    """Give the absolute path that `text` names below `root`, or None when it reads like a link or a hash.

    Whatever exists is a path; of the rest, what starts like one or ends like a model file does.
    """
    text = unquote(text.removeprefix("file://")) if text.startswith("file:///") else text
    if "://" in text or "\n" in text or text.startswith("urn:"):
        return None
    path = (root / expanded(text)).absolute()
    if kind_of(path):
        return path
    first = text.partition("/")[0]
    if "." in first.strip(".") and "/" in text:  # civitai.com/models/1 and the like: a host's name comes first
        return None
    return path if _LOOKS_LIKE_PATH.match(text) or Path(text).suffix.lower() in _MODEL_ENDINGS else None


def is_pickle(path: Path) -> bool:
    """Tell whether a file can run code when it is loaded, by its ending."""
    return path.suffix.lower() in PICKLES


def look_at(path: Path, wanted: Wanted, *, source: str) -> BaseModelFile:
    """Say what the model at `path` is; its SHA256 is left empty. Raises BaseModelError when it cannot be used."""
    if not path.exists():
        raise _missing(path, wanted)
    if is_pickle(path):
        raise refuse_pickle(path.name, wanted)
    if path.is_dir():
        return _look_at_folder(path, wanted, source=source)
    if path.suffix.lower() != ".safetensors":
        raise NotAModelError(
            f"{path.name} is neither a .safetensors file nor a diffusers folder",
            where=wanted.field,
            todo="give a .safetensors file; sd-scripts takes every other ending for a pickle",
        )
    identity = identify(path)
    check_suitable(identity, wanted, path)
    return BaseModelFile(path, "safetensors", identity.family, path.stat().st_size, source=source)


def _look_at_folder(path: Path, wanted: Wanted, *, source: str) -> BaseModelFile:
    if wanted.role == "VAE":
        identity = identify_vae_folder(path)
    else:
        identity = identify(path)
        check_suitable(identity, wanted, path)
        for part in ("unet", "vae", "text_encoder"):
            _refuse_pickled_part(path / part, wanted)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return BaseModelFile(path, "diffusers", identity.family, size, source=source)


def _refuse_pickled_part(part: Path, wanted: Wanted) -> None:
    if any(part.glob("*.safetensors")):
        return
    if any(is_pickle(file) for file in part.iterdir()):
        what = f"the {part.name} of {part.parent.name} is there as a pickle only, which can run code when it is loaded"
        raise PickleRefusedError(what, where=wanted.field, todo="give a folder whose weights are .safetensors")
    what = f"the {part.name} of {part.parent.name} has no weights"
    raise NotAModelError(what, where=wanted.field, todo=f"put its .safetensors into {part}")


def _missing(path: Path, wanted: Wanted) -> NotFoundError:
    near = _nearest(path)
    todo = f"did you mean {near}?" if near else "give the path of a .safetensors file or diffusers folder, or a link"
    return NotFoundError(f"there is no {wanted.role} at {path}", where=wanted.field, todo=todo)


def _nearest(path: Path) -> str:
    if not path.parent.is_dir():
        return ""
    names = [entry.name for entry in path.parent.iterdir() if entry.suffix.lower() in _MODEL_ENDINGS or entry.is_dir()]
    return next(iter(difflib.get_close_matches(path.name, names, n=1)), "")
