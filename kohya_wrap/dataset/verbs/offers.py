"""What the words of `dataset add` offer: addresses, files, folders and archives, as files with names."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from kohya_wrap.dataset.archives import is_archive, unpack
from kohya_wrap.dataset.folder import ENDINGS, OTHER_PICTURES
from kohya_wrap.errors import DatasetError, Problem
from kohya_wrap.files import sha256_file

FetchUrl = Callable[[str, str, Path], None]
"""Fetches an address into a file; the second is its SHA256 in lower-case hex, or empty."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GITHUB = re.compile(r"https?://github\.com/([^/]+/[^/]+)/(?:blob|raw)/(.+)")


@dataclass(frozen=True, slots=True)
class Source:
    """One word of the command: an address or a path, and what its hash must be."""

    text: str
    sha256: str = ""

    @property
    def is_url(self) -> bool:
        """Whether it is to be fetched."""
        return self.text.lower().startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class Offer:
    """One file on offer: the name that it has in its source, and where it is now."""

    name: PurePosixPath
    path: Path


def read_sources(sources: Sequence[str], sha256: str) -> list[Source]:
    """Read the words; everything that is wrong with them is said at once."""
    if sha256 and len(sources) != 1:
        raise DatasetError("is given for more than one source", where="--sha256", todo="write URL#sha256=… for each")
    problems, found = [], []
    for text in sources:
        bare, mark, digest = text.partition("#sha256=")
        source = Source(bare, (digest if mark else sha256).lower())
        if source.sha256 and not _SHA256.fullmatch(source.sha256):
            problems.append(Problem(public(bare), "has a SHA256 that is not 64 hex digits", "copy it again"))
        if not source.is_url and not Path(bare).expanduser().exists():
            problems.append(Problem(bare, "is no file, folder or http address", "check its name"))
        found.append(source)
    if problems:
        raise DatasetError.of(problems)
    return found


def public(text: str) -> str:
    """Give an address without what could be a token: user, query and fragment."""
    if not text.lower().startswith(("http://", "https://")):
        return text
    parts = urlsplit(text)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def offers(source: Source, folder: Path, fetch: FetchUrl) -> list[Offer]:
    """List what a source offers; addresses are fetched and archives unpacked into `folder`."""
    path = Path(source.text).expanduser()
    name = path.name
    if source.is_url:
        name, path = _name_of(source.text), folder / f"fetched{PurePosixPath(_name_of(source.text)).suffix[:16]}"
        fetch(_GITHUB.sub(r"https://raw.githubusercontent.com/\1/\2", source.text), source.sha256, path)
    elif path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return [Offer(PurePosixPath(file.relative_to(path).as_posix()), file) for file in files]
    elif source.sha256 and (digest := sha256_file(path)) != source.sha256:
        what = f"is not the file that was asked for: its SHA256 is {digest}"
        raise DatasetError(what, where=str(path), todo="look where it came from, or correct the SHA256")
    if is_archive(path):
        inside = folder / "inside"
        inside.mkdir()
        return _without_top([Offer(entry.name, entry.path) for entry in unpack(path, inside)])
    beside = [] if source.is_url else sorted(path.parent.glob(f"{_escaped(path.stem)}.*"))
    captions = [Offer(PurePosixPath(file.name), file) for file in beside if file != path and not is_any_picture(file)]
    return [Offer(PurePosixPath(name), path), *captions]


def _name_of(url: str) -> str:
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    return name.replace("\0", "").strip() or "picture"


def _escaped(stem: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", stem)


def _without_top(entries: list[Offer]) -> list[Offer]:
    """Take off the folders that everything in an archive lies in."""
    names = [entry.name for entry in entries]
    while names and len({name.parts[0] for name in names}) == 1 and all(len(name.parts) > 1 for name in names):
        names = [PurePosixPath(*name.parts[1:]) for name in names]
    return [Offer(name, entry.path) for name, entry in zip(names, entries, strict=True)]


def is_any_picture(path: PurePosixPath | Path) -> bool:
    """Say by its ending whether a file is a picture, of a kind that the engine reads or not."""
    return path.suffix.lower() in {*ENDINGS, *OTHER_PICTURES}
