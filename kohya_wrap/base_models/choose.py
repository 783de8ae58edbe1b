"""Choose one file among those that a host offers: safetensors before pickle, pruned fp16 before full."""

from collections.abc import Iterable

from kohya_wrap.base_models.errors import NotAModelError, NotFoundError
from kohya_wrap.base_models.hosts.host import Choice, RemoteFile

_PRECISIONS = {"fp16": 0, "bf16": 1, "": 2, "fp32": 3}
_FORMATS = {"safetensors": 0, "pickle": 1}
_KINDS = {"base model": ("Model", "Pruned Model", ""), "VAE": ("VAE", "Model", "")}


def choose(files: Iterable[RemoteFile], choice: Choice, *, where: str) -> RemoteFile:
    """Give the file that fits `choice` best; the host's own order decides between equals.

    Raises NotFoundError when the wanted file is not among them, NotAModelError when none can be trained on.
    """
    offered = tuple(files)
    if choice.file:
        return _named(offered, choice.file, where)
    kinds = _KINDS.get(choice.role)
    usable = [file for file in offered if file.format in _FORMATS and (kinds is None or file.kind in kinds)]
    if not usable:
        listed = ", ".join(f"{file.name} ({file.kind or file.format})" for file in offered) or "no file at all"
        raise NotAModelError(
            f"nothing here can be used as a {choice.role}: {listed}", where=where, todo="give another link"
        )
    return min(usable, key=lambda file: _rank(file, kinds or _KINDS["base model"]))


def describe(file: RemoteFile) -> str:
    """Describe a file in a few words: "name.safetensors (safetensors, pruned, fp16, 2.13 GB)"."""
    pruned = {True: "pruned", False: "full", None: ""}[file.pruned]
    size = f"{file.size / 1e9:.2f} GB" if file.size >= 10_000_000 else f"{file.size / 1e6:.1f} MB" if file.size else ""
    words = ", ".join(word for word in (file.format, pruned, file.precision, size) if word)
    return f"{file.name} ({words})" if words else file.name


def _named(files: tuple[RemoteFile, ...], wanted: str, where: str) -> RemoteFile:
    for file in files:
        if wanted in {file.id, file.name}:
            return file
    listed = ", ".join(f"{file.id} {file.name}".strip() for file in files)
    raise NotFoundError(f"there is no file {wanted} here", where=where, todo=f"choose one of: {listed}")


def _rank(file: RemoteFile, kinds: tuple[str, ...]) -> tuple[int, int, int, int]:
    kind = kinds.index(file.kind) if file.kind in kinds else len(kinds)
    if kinds[:1] == ("Model",):
        kind = 0  # "Pruned Model" is a word of old uploads for what `pruned` says
    pruned = {True: 0, None: 1, False: 2}[file.pruned]
    return kind, _FORMATS[file.format], pruned, _PRECISIONS.get(file.precision, 9)
