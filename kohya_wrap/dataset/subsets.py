"""One folder of pictures, as the engine will find it: looked at once everything that is to be copied is counted in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kohya_wrap.config import TrainConfig
from kohya_wrap.dataset.caches import Cached, cache_findings
from kohya_wrap.dataset.captions import borrowed_caption, caption_findings, caption_of, with_dot
from kohya_wrap.dataset.findings import finding, names
from kohya_wrap.dataset.folder import Listing, is_picture, listing_findings, name_findings, try_listing
from kohya_wrap.dataset.pictures import Look, look_at
from kohya_wrap.dataset.types import Copy, Picture
from kohya_wrap.errors import Problem


@dataclass(frozen=True, slots=True)
class FolderRules:
    """How the engine will read a folder. `extension`: of captions, empty for none; `arriving`: copied before the run.

    `may_be_empty`: pictures are about to come; `alpha_mask`: transparency is used, not dropped; `all_lines`: captions
    have several lines (enable_wildcard).
    """

    folder: Path
    extension: str
    arriving: tuple[Copy, ...] = ()
    may_be_empty: bool = False
    is_reg: bool = False
    alpha_mask: bool = False
    all_lines: bool = False


@dataclass(slots=True)
class Scan:
    """What was seen of a folder."""

    pictures: tuple[Picture, ...] = ()
    findings: list[Problem] = field(default_factory=list)


def scan(rules: FolderRules, config: TrainConfig) -> Scan:
    """Look at a folder, its pictures, captions and caches. Nothing is touched."""
    scanned = Scan()
    listing = try_listing(rules.folder, with_dot(rules.extension))
    if isinstance(listing, Problem):
        if listing.code == "folder-unreadable" or not rules.may_be_empty:
            scanned.findings.append(listing)
        listing = Listing(rules.folder)
    elif not listing.pictures and not rules.may_be_empty:
        scanned.findings.append(finding("folder-empty", rules.folder, "holds no picture that the engine reads"))
    scanned.findings += listing_findings(listing)
    _look(scanned, rules, listing, to_disk=config.sd_scripts.get("cache_latents_to_disk") is True)
    if rules.extension:
        scanned.findings += _check_captions(scanned.pictures, rules, listing, config)
    return scanned


def _look(scanned: Scan, rules: FolderRules, listing: Listing, *, to_disk: bool) -> None:
    coming = {copy.target: copy.source for copy in rules.arriving}
    places = {path: path for path in listing.pictures}
    places |= {target: source for target, source in coming.items() if is_picture(target)}
    paths = sorted(places)
    seen = dict(zip(paths, look_at([places[path] for path in paths]), strict=True))
    scanned.findings += name_findings(rules.folder, paths)
    scanned.findings += _picture_findings(seen.values(), rules)
    readable = [path for path in paths if seen[path].width]
    cached = [
        Cached(path, places[path], (seen[path].width, seen[path].height), arriving=path in coming) for path in readable
    ]
    scanned.findings += cache_findings(cached, listing.caches, to_disk=to_disk)
    scanned.pictures = tuple(
        Picture(path, places[path], seen[path].width, seen[path].height, _caption(path, rules, coming))
        for path in readable
    )


def _picture_findings(looks: Iterable[Look], rules: FolderRules) -> Iterator[Problem]:
    for look in looks:
        yield from (each for each in look.findings if each.code != "transparency" or not rules.alpha_mask)


def _caption(picture: Path, rules: FolderRules, coming: Mapping[Path, Path]) -> Path | None:
    """Give the file in which the engine will find a picture's caption, where it lies now."""
    if not rules.extension:
        return None
    for path in (caption_of(picture, rules.extension), borrowed_caption(picture, rules.extension)):
        if path and (path in coming or path.is_file()):
            return coming.get(path, path)
    return None


def _check_captions(
    pictures: Sequence[Picture], rules: FolderRules, listing: Listing, config: TrainConfig
) -> Iterator[Problem]:
    used = {picture.caption for picture in pictures if picture.caption}
    yield from caption_findings(
        sorted(used),
        max_tokens=config.training.max_token_length,
        activation_tag="" if rules.is_reg else config.dataset.activation_tag,
        all_lines=rules.all_lines,
    )
    for picture in pictures:
        if picture.caption and picture.caption.stem != picture.path.stem:
            yield finding("caption-borrowed", picture.path, f"would be given the caption of {picture.caption.name}")
    stems = {path.stem for path in listing.pictures} | {copy.target.stem for copy in rules.arriving}
    without = {picture.path.stem for picture in pictures if not picture.caption}
    unread = [path for path in listing.captions if path not in used]
    other = [path for path in unread if path.stem in without]
    if other:
        yield finding("caption-ending", rules.folder, f"captions that do not end in {rules.extension}: {names(other)}")
    for orphan in unread:
        if orphan.stem not in stems:
            yield finding("caption-orphan", orphan, "belongs to no picture")
