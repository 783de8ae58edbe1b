"""Near pairs of hashes: the same as comparing every pair, for every radius, on kind and unkind hashes."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from kohya_wrap.dataset.verbs.dedupe.hamming import BITS, MAX_RADIUS, near_pairs, plan

Hashes = NDArray[np.uint64]


def brute_force(hashes: Hashes, radius: int) -> set[tuple[int, int]]:
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    i, j = np.nonzero(np.triu(apart <= radius, k=1))
    return set(zip(i.tolist(), j.tolist(), strict=True))


def found(hashes: Hashes, radius: int) -> list[tuple[int, int]]:
    i, j = near_pairs(hashes, radius)
    return [(min(pair), max(pair)) for pair in zip(i.tolist(), j.tolist(), strict=True)]


def random_hashes(count: int, seed: int = 0) -> Hashes:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


def with_neighbours(count: int, seed: int) -> Hashes:
    """Give hashes of which three in four are others with 0 to 17 bits changed."""
    dice = np.random.default_rng(seed)
    hashes = random_hashes(count, seed)
    for at in range(count // 4, count):
        bits = dice.choice(BITS, int(dice.integers(0, MAX_RADIUS + 2)), replace=False)
        hashes[at] = hashes[dice.integers(0, at)] ^ np.uint64(sum(1 << int(bit) for bit in bits))
    return hashes


@pytest.mark.parametrize("radius", range(MAX_RADIUS + 1))
def test_every_pair_is_found_once(radius: int) -> None:
    """As many pairs as by comparing all, the same ones, and none twice."""
    hashes = with_neighbours(600, radius)
    pairs = found(hashes, radius)
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == brute_force(hashes, radius)
    assert pairs  # there was something to find


@pytest.mark.parametrize("radius", [0, 3, 6, 10])
@pytest.mark.parametrize(
    "hashes",
    [
        np.arange(300, dtype=np.uint64),  # all differ in low bits only: one block holds everything
        np.arange(300, dtype=np.uint64) << np.uint64(55),
        np.repeat(random_hashes(20), 10),  # equal ones
        np.array([0, 2**64 - 1, 1, 2**63, 2**64 - 2], np.uint64),
        np.array([7], np.uint64),
        np.array([], np.uint64),
    ],
    ids=["low bits", "high bits", "equal", "extremes", "one", "none"],
)
def test_unkind_hashes(hashes: Hashes, radius: int) -> None:
    """What would break a search that counts on chance."""
    pairs = found(hashes, radius)
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == brute_force(hashes, radius)


@pytest.mark.parametrize("radius", range(MAX_RADIUS + 1))
@pytest.mark.parametrize("count", [10, 10_000, 1_000_000])
def test_blocks_leave_no_gap(count: int, radius: int) -> None:
    """The pigeonhole: blocks do not overlap, and their shares are one too many for any hash to slip through."""
    blocks = plan(count, radius)
    unneeded = BITS - sum(block.bits for block in blocks)
    assert all(a.shift + a.bits == b.shift for a, b in pairwise(blocks))
    # A pair that no block finds differs in more than share + 1 bits of each: more than radius altogether.
    assert sum(block.share + 1 for block in blocks) > radius
    assert unneeded >= 0


@pytest.mark.parametrize("radius", [-1, MAX_RADIUS + 1])
def test_a_radius_that_cannot_be(radius: int) -> None:
    """Beyond 16 bits nearly everything would be compared with everything."""
    with pytest.raises(ValueError, match="between 0 and 16"):
        plan(100, radius)


def test_many_at_once_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparisons come in parts of a bounded size, and the seams lose nothing."""
    hashes = with_neighbours(400, 5)
    monkeypatch.setattr("kohya_wrap.dataset.verbs.dedupe.hamming._AT_ONCE", 7)
    assert set(found(hashes, 6)) == brute_force(hashes, 6)
