"""Latents that earlier runs left beside the pictures: which of them the engine would take for something else.

The engine trusts names: it takes a picture's size from the .npz beside it, whatever the picture has become, and with
cache_latents_to_disk the latents too. Source: train_util.py and strategy_sd.py at the pinned commit, and the facts.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.dataset.findings import finding, names
from kohya_wrap.errors import Problem

SUFFIX = "_sd.npz"
"""Of SD 1.5 and SD 2 alike. NAME.npz, without size and suffix, is an older form that is still read."""
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Cached:
    """A picture as far as caches matter. `path`: where the engine reads it; `arriving`: it is not there yet."""

    path: Path
    source: Path
    size: Size
    arriving: bool = False


def cache_findings(pictures: Sequence[Cached], caches: Sequence[Path], *, to_disk: bool) -> Iterator[Problem]:
    """Say which caches are not of the picture that they would be taken for; `to_disk`: latents are read from them."""
    if not caches:
        return
    of_stem = _by_stem(caches)
    taken = sizes_from_names([picture.path for picture in pictures], caches)
    fresh = []
    for picture in pictures:
        own = of_stem.get(picture.path.stem, [])
        stale = {cache: why for cache in own if (why := _why_stale(cache, picture))}
        cache = taken.get(picture.path)
        if cache and cache not in stale and size_in_name(cache) not in (None, picture.size):
            stale[cache] = f"names the size that the engine would take for {picture.path.name}"
        yield from (finding("stale-cache", cache, why) for cache, why in stale.items())
        fresh += [cache for cache in own if cache not in stale]
    for cache in caches:
        if cache.name.endswith(SUFFIX) and size_in_name(cache) is None:
            yield finding("cache-name", cache, f"ends in {SUFFIX}, but names no size")
    if fresh and to_disk:
        yield finding("reused-cache", caches[0].parent, f"latents of an earlier run: {names(sorted(fresh))}")


def _why_stale(cache: Path, picture: Cached) -> str:
    size = size_in_name(cache)
    if size not in (None, picture.size):
        return f"is of a picture of another size than {picture.path.name}"
    if picture.arriving:
        return f"was there before {picture.path.name}"
    try:
        older = cache.stat().st_mtime_ns < picture.source.stat().st_mtime_ns
    except OSError:  # a link that leads nowhere; the picture has a finding of its own
        return ""
    return f"is older than {picture.path.name}" if older else ""


def size_in_name(cache: Path) -> Size | None:
    """Give the size that a cache's name tells, as the engine reads it: NAME_0512x0768_sd.npz."""
    parts = cache.stem.split("_")
    sides = parts[-2].split("x") if len(parts) > 1 else []
    if len(sides) != 2 or not all(side.isdecimal() for side in sides):
        return None
    return int(sides[0]), int(sides[1])


def _by_stem(caches: Sequence[Path]) -> Mapping[str, list[Path]]:
    of_stem: dict[str, list[Path]] = defaultdict(list)
    for cache in caches:
        stem = cache.stem.rsplit("_", maxsplit=2)[0] if size_in_name(cache) else cache.stem
        of_stem[stem].append(cache)
    return of_stem


def sizes_from_names(pictures: Sequence[Path], caches: Sequence[Path]) -> Mapping[Path, Path]:
    """Give the cache from whose name the engine takes a picture's size.

    It walks both sorted lists at once and compares beginnings, so that cat.png finds cat_2_0512x0512_sd.npz.
    """
    sized = sorted((str(cache) for cache in caches if cache.name.endswith(SUFFIX)), key=lambda c: c.rsplit("_", 2)[0])
    at = 0
    taken = {}
    for picture in sorted(pictures, key=str):
        beginning = str(picture.with_suffix(""))
        while at < len(sized) and sized[at][: len(beginning)] < beginning:
            at += 1
        if at < len(sized) and sized[at].startswith(beginning):
            taken[picture] = Path(sized[at])
    return taken
