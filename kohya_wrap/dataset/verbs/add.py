"""add: pictures and their captions into a dataset, from files, folders, archives and addresses."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from kohya_wrap.dataset.captions import with_dot
from kohya_wrap.dataset.findings import finding
from kohya_wrap.dataset.folder import ENDINGS
from kohya_wrap.dataset.history import DatasetPlace, Step, open_step
from kohya_wrap.dataset.verbs.offers import FetchUrl, Offer, is_any_picture, offers, public, read_sources
from kohya_wrap.dataset.verbs.parallel import Report, no_report
from kohya_wrap.dataset.verbs.reading import UNREADABLE, opened
from kohya_wrap.errors import DatasetError, Problem
from kohya_wrap.files import sha256_file

_ENDING_OF = {"PNG": ".png", "JPEG": ".jpg", "MPO": ".jpg", "WEBP": ".webp", "BMP": ".bmp", "DIB": ".bmp"}


@dataclass(frozen=True, slots=True)
class AddOptions:
    """`sha256`: of the only source (an address can also end in #sha256=…). `keep_folders`: else all go to the top."""

    sha256: str = ""
    keep_folders: bool = False
    caption_extension: str = ".txt"


@dataclass(frozen=True, slots=True)
class Added:
    """What was added. `same`: were there already. `renamed`: from and to; `left_out`: what is no readable picture."""

    step: Step
    pictures: int = 0
    captions: int = 0
    same: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    left_out: tuple[Problem, ...] = ()


def add(
    place: DatasetPlace,
    sources: Sequence[str],
    options: AddOptions | None = None,
    *,
    fetch: FetchUrl,
    dry_run: bool = False,
    report: Report = no_report,
) -> Added:
    """Copy pictures, with their captions, into the dataset; the sources stay as they are.

    A name that is taken by the same content is skipped, by another it gets a suffix (-2). A dry run fetches and
    unpacks too, elsewhere. Raises DatasetError, OutputError, DiskFullError, ProjectBusyError, and what `fetch` raises.
    """
    options = options or AddOptions()
    wanted = read_sources(sources, options.sha256)
    arguments = {"sources": [public(source.text) for source in wanted], **asdict(options)}
    with open_step(place, "add", arguments, dry_run=dry_run) as step, _workshop(place, dry_run=dry_run) as workshop:
        taking = _Taking(step, options)
        for at, source in enumerate(wanted):
            folder = workshop / str(at)
            folder.mkdir()
            report("adding", at, len(wanted))
            taking.take(offers(source, folder, fetch), source.text)
        report("adding", len(wanted), len(wanted))
    return taking.result()


@contextmanager
def _workshop(place: DatasetPlace, *, dry_run: bool) -> Iterator[Path]:
    """Give a folder for what is fetched and unpacked; on the dataset's disk, which has the room, but in a dry run."""
    with tempfile.TemporaryDirectory(dir=None if dry_run else place.history, prefix=".add-") as folder:
        yield Path(folder)


@dataclass(slots=True)
class _Taking:
    """Puts entries into the dataset, and remembers which names are taken (in a dry run nothing is there to see)."""

    step: Step
    options: AddOptions
    pictures: int = 0
    captions: int = 0
    same: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[Problem] = field(default_factory=list)
    _taken: dict[Path, dict[str, list[Path]]] = field(default_factory=dict)

    def result(self) -> Added:
        return Added(
            self.step, self.pictures, self.captions, tuple(self.same), tuple(self.renamed), tuple(self.left_out)
        )

    def take(self, entries: Sequence[Offer], source: str) -> None:
        """Take the pictures of one source. Raises DatasetError where there are none."""
        entries = [entry for entry in entries if not _is_hidden(entry.name)]
        captions = defaultdict(list)
        for entry in entries:
            if entry.name.suffix in {".txt", ".caption", with_dot(self.options.caption_extension)}:
                captions[entry.name.with_suffix("")].append(entry)
        pictures = [entry for entry in entries if is_any_picture(entry.name)]
        if not pictures and len(entries) == 1:  # an address need not end in a picture's ending
            pictures = entries
        if not pictures:
            raise DatasetError("has no pictures in it", where=public(source), todo="look what it is")
        for entry in pictures:
            if ending := self._ending(entry):
                self._place(entry, ending, captions[entry.name.with_suffix("")])

    def _ending(self, entry: Offer) -> str:
        """Give the ending that a picture gets: its own in lower case, else that of its content; empty: left out."""
        try:
            with opened(entry.path) as image:
                found = _ENDING_OF.get(image.format or "", "")
        except UNREADABLE as error:
            self.left_out.append(finding("not-a-picture", Path(entry.name), f"cannot be read: {str(error)[:100]}"))
            return ""
        own = entry.name.suffix.lower()
        if not found:
            self.left_out.append(
                finding("unknown-ending", Path(entry.name), "is of a kind that the engine does not read")
            )
        return own if found and own in ENDINGS else found

    def _place(self, entry: Offer, ending: str, captions: Sequence[Offer]) -> None:
        above = entry.name.parent if self.options.keep_folders else PurePosixPath()
        folder = self.step.place.folder / above
        taken = self._names(folder)
        wanted = entry.name.stem
        stem, number = wanted, 1
        while stem in taken:
            if any(_same(entry.path, path) for path in taken[stem]):
                self.same.append(str(entry.name))
                self._caption(folder / stem, captions, taken[stem])
                return
            number += 1
            stem = f"{wanted}-{number}"
        if stem != wanted:
            self.renamed.append((str(entry.name), stem + ending))
        taken[stem] = [entry.path]
        self.pictures += 1
        self.step.add(entry.path, folder / f"{stem}{ending}")
        self._caption(folder / stem, captions, taken[stem])

    def _caption(self, target: Path, captions: Sequence[Offer], there: list[Path]) -> None:
        """Put captions beside a picture that has none of their ending."""
        for caption in captions:
            if all(path.suffix != caption.name.suffix for path in there):
                there.append(caption.path)
                self.captions += 1
                self.step.add(caption.path, target.with_name(target.name + caption.name.suffix))

    def _names(self, folder: Path) -> dict[str, list[Path]]:
        """Give the stems that are taken in a folder, by pictures or by captions, read once."""
        if folder not in self._taken:
            names: dict[str, list[Path]] = defaultdict(list)
            for path in folder.iterdir() if folder.is_dir() else ():
                names[path.stem].append(path)
            self._taken[folder] = dict(names)
        return self._taken[folder]


def _is_hidden(name: PurePosixPath) -> bool:
    """Whether a file is a system's own: .DS_Store, and what macOS puts into every ZIP."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.parts)


def _same(one: Path, other: Path) -> bool:
    if not other.is_file() or one.stat().st_size != other.stat().st_size:
        return False
    return sha256_file(one) == sha256_file(other)
