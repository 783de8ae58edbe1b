"""Which files of a Hugging Face repository make a base model: one checkpoint file, or a diffusers folder."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from kohya_wrap.base_models.errors import PickleRefusedError
from kohya_wrap.base_models.hosts.host import RemoteFile
from kohya_wrap.base_models.hosts.hub import Repo, RepoFile

SMALLEST_CHECKPOINT = 500_000_000
"""Bytes; below it a .safetensors in a repository's root is a VAE, a LoRA or a part. Real ones are 1.6 GB and more."""

_PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")
_SMALL_PARTS = ("scheduler", "tokenizer", "tokenizer_2", "feature_extractor")
_WEIGHTS = ("diffusion_pytorch_model", "model")
_FORMATS = {".safetensors": "safetensors", ".ckpt": "pickle", ".pt": "pickle", ".bin": "pickle"}
FOLDER = "diffusers"


def as_remote(file: RepoFile) -> RemoteFile:
    """Give a repository's file in the words of all hosts; what its name says about it is believed."""
    name = PurePosixPath(file.path).name
    low = name.lower()
    precision = next((word for word in ("fp16", "bf16", "fp32") if word in low), "")
    return RemoteFile(
        name=name,
        size=file.size,
        sha256=file.sha256,
        format=_FORMATS.get(PurePosixPath(low).suffix, PurePosixPath(low).suffix.lstrip(".")),
        precision=precision,
        pruned=True if "pruned" in low or "emaonly" in low else None,
        id=file.path,
        hashes={"SHA256": file.sha256} if file.sha256 else {"git": file.blob_id} if file.blob_id else {},
    )


def single_files(repo: Repo, prefix: str, *, role: str) -> tuple[RemoteFile, ...]:
    """List the files directly in `prefix` that can be a whole base model (or, for another role, any weights)."""
    here = [file for file in repo.files if _folder(file.path) == prefix]
    remote = [(file, as_remote(file)) for file in here if PurePosixPath(file.path).suffix.lower() in _FORMATS]
    if role != "base model":
        return tuple(one for _, one in remote)
    return tuple(one for file, one in remote if file.size >= SMALLEST_CHECKPOINT or not file.size)


def diffusers_files(repo: Repo, prefix: str, *, role: str) -> tuple[RepoFile, ...]:
    """List what sd-scripts reads of the diffusers folder at `prefix`, or of a VAE's own folder; empty if it is none.

    Left out: the safety checker, other numeric variants, copies in other formats.
    Raises PickleRefusedError when the weights of a part are there as pickles only.
    """
    below = {
        str(PurePosixPath(file.path).relative_to(prefix or ".")): file for file in repo.files if _below(file, prefix)
    }
    if role == "VAE" and "config.json" in below:
        return (below["config.json"], *_weights(below, "", repo))
    if "model_index.json" not in below:
        return ()
    chosen = [below["model_index.json"]]
    for part in _PARTS:
        if f"{part}/config.json" in below:
            chosen += [below[f"{part}/config.json"], *_weights(below, f"{part}/", repo)]
    chosen += [file for path, file in below.items() if path.split("/")[0] in _SMALL_PARTS]
    return tuple(chosen)


def as_folder(repo: Repo, files: Iterable[RepoFile], prefix: str) -> RemoteFile:
    """Give a diffusers folder as one thing to choose."""
    name = "/".join(part for part in (repo.name.repo, prefix) if part)
    return RemoteFile(name=name, size=sum(file.size for file in files), format=FOLDER, id=f"{prefix}/", kind=FOLDER)


def _weights(below: dict[str, RepoFile], part: str, repo: Repo) -> list[RepoFile]:
    for name in _WEIGHTS:
        if file := below.get(f"{part}{name}.safetensors"):
            return [file]
        if index := below.get(f"{part}{name}.safetensors.index.json"):
            shards = [
                f for path, f in below.items() if path.startswith(f"{part}{name}-0") and path.endswith(".safetensors")
            ]
            return [index, *shards]
    pickled = any(path.startswith(part) and path.endswith(".bin") for path in below)
    state = "is there as a pickle only" if pickled else "has no weights"
    what = f"the {part.rstrip('/') or 'VAE'} of {repo.name.repo} {state}"
    raise PickleRefusedError(what, where=repo.name.shown, todo="give a repository whose weights are .safetensors")


def _folder(path: str) -> str:
    folder = str(PurePosixPath(path).parent)
    return "" if folder == "." else folder


def _below(file: RepoFile, prefix: str) -> bool:
    return not prefix or file.path.startswith(f"{prefix}/")
