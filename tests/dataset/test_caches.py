"""Which cache the engine would take a picture's size from, and which ones are no longer of their picture."""

import os
from pathlib import Path

import pytest
from dataset_helpers import codes, draw

from kohya_wrap.dataset.caches import Cached, cache_findings, size_in_name, sizes_from_names


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("x_0512x0768_sd.npz", (512, 768)),
        ("a_b_10000x0064_sdxl.npz", (10_000, 64)),
        ("x.npz", None),
        ("x_sd.npz", None),
        ("x_512_sd.npz", None),
        ("x_axb_sd.npz", None),
    ],
)
def test_size_in_name(name: str, size: tuple[int, int] | None) -> None:
    """A size is read from a cache's name where the engine writes it."""
    assert size_in_name(Path(name)) == size


def test_beginnings_are_compared() -> None:
    """A picture without a cache of its own is given that of another whose name begins like its own."""
    pictures = [Path("f/cat.png"), Path("f/cat_2.png"), Path("f/dog.png")]
    cache = Path("f/cat_2_0512x0512_sd.npz")
    assert sizes_from_names(pictures, [cache]) == {pictures[0]: cache, pictures[1]: cache}


def test_own_cache_comes_first() -> None:
    """A picture with a cache of its own is given that one."""
    pictures = [Path("f/cat.png"), Path("f/cat_2.png")]
    caches = [Path("f/cat_2_0512x0512_sd.npz"), Path("f/cat_0064x0064_sd.npz")]
    assert sizes_from_names(pictures, caches) == {pictures[0]: caches[1], pictures[1]: caches[0]}


@pytest.mark.parametrize(
    ("name", "age", "expected"),
    [
        ("x_0096x0080_sd.npz", 10, ["stale-cache"]),
        ("x_0096x0080_sd.npz", -10, []),
        ("x_0080x0096_sd.npz", -10, ["stale-cache"]),
        ("x.npz", 10, ["stale-cache"]),
        ("x.npz", -10, []),
        ("y_0096x0080_sd.npz", 10, []),
        ("x_0096x0080_sdxl.npz", 10, ["stale-cache"]),
    ],
)
def test_age_and_size(tmp_path: Path, name: str, age: int, expected: list[str]) -> None:
    """A cache that is older than its picture, or of another size, is not that picture's."""
    picture = draw(tmp_path / "x.png", (96, 80))
    cache = tmp_path / name
    cache.write_bytes(b"PK")
    now = picture.stat().st_mtime
    os.utime(cache, (now - age, now - age))
    assert codes(list(cache_findings([Cached(picture, picture, (96, 80))], [cache], to_disk=False))) == expected


def test_two_sizes(tmp_path: Path) -> None:
    """Of two caches of one picture, the one of another size is said, whichever the engine would take."""
    picture = draw(tmp_path / "x.png", (96, 80))
    caches = [tmp_path / f"x_{size}_sd.npz" for size in ("0096x0080", "0500x0500")]
    for cache in caches:
        cache.write_bytes(b"PK")
    (problem,) = cache_findings([Cached(picture, picture, (96, 80))], caches, to_disk=False)
    assert problem.where == str(caches[1])


def test_many(tmp_path: Path) -> None:
    """Ten thousand pictures with their caches are matched without comparing each with each."""
    pictures = [tmp_path / f"p{number:05}.png" for number in range(10_000)]
    caches = [tmp_path / f"p{number:05}_0096x0080_sd.npz" for number in range(10_000)]
    assert len(sizes_from_names(pictures, caches)) == 10_000
