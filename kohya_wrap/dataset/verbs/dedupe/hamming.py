"""All pairs of 64-bit hashes that differ in few bits, without comparing every pair.

The 64 bits are cut into blocks. Where two hashes differ in at most r bits, at least one block differs in no more
than its share of them (the pigeonhole principle), so that only hashes whose block is nearly the same are compared.
Exact: nothing is missed. Source: multi-index hashing, Norouzi, Punjani and Fleet 2012 (arXiv 1307.2982), with the
shares of Qin et al. 2018 ("GPH"): they need to add up to no more than r - blocks + 1.
"""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Indices = NDArray[np.int64]

BITS = 64
MAX_RADIUS = 16
_AT_ONCE = 1 << 16
"""Comparisons at once: their arrays stay in a core's own cache, which halves the time."""
_A_FLIP = 100
"""What one flip of a block costs, over and above its comparisons, in comparisons per 100 hashes (measured)."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some neighbouring bits, and how many of them may differ (-1: the block is not needed)."""

    shift: int
    bits: int
    share: int

    @property
    def flips(self) -> list[int]:
        """List what the block of a hash may be changed by, nothing first."""
        changed = (combo for count in range(self.share + 1) for combo in combinations(range(self.bits), count))
        return [sum(1 << bit for bit in combo) for combo in changed]


def near_pairs(hashes: "Hashes", radius: int) -> "tuple[Indices, Indices]":
    """Give the indices (i, j) of all pairs of `hashes` that differ in at most `radius` bits (0 to 16), each pair once.

    For many equal hashes give distinct ones: equal ones make a pair each with each.
    """
    import numpy as np  # noqa: PLC0415 - 0.1 s to import

    blocks = plan(len(hashes), radius)
    found = []
    with ThreadPoolExecutor() as pool:  # numpy lets go of the interpreter's lock
        for index, block in enumerate(blocks):
            held = _Sorted(hashes, block)
            search = partial(_search, held, radius=radius, before=blocks[:index])
            found += [pair for pairs in pool.map(search, block.flips) for pair in pairs]
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate([i for i, _ in found]), np.concatenate([j for _, j in found])


def plan(count: int, radius: int) -> tuple[Block, ...]:
    """Choose the blocks with the least work for so many hashes. Raises ValueError outside of 0 to 16."""
    if not 0 <= radius <= MAX_RADIUS:
        raise ValueError(f"a radius of {radius} is not between 0 and {MAX_RADIUS}")
    return min((_blocks(number, radius) for number in range(4, 9)), key=lambda blocks: _work(blocks, count))


def _blocks(number: int, radius: int) -> tuple[Block, ...]:
    """Cut 64 bits into blocks of nearly one size; shares add up to radius - number + 1."""
    sizes = [BITS // number + (index < BITS % number) for index in range(number)]
    base, more = divmod(radius - number + 1, number)
    shares = [base + (index < more) for index in range(number)]
    return tuple(Block(sum(sizes[:at]), sizes[at], shares[at]) for at in range(number) if shares[at] >= 0)


def _work(blocks: tuple[Block, ...], count: int) -> float:
    flips = [sum(math.comb(block.bits, k) for k in range(block.share + 1)) for block in blocks]
    compared = [count / (2 << block.bits) + _A_FLIP / 100 for block in blocks]
    return sum(flip * each * count for flip, each in zip(flips, compared, strict=True))


class _Sorted:
    """Hashes sorted by one block: those of equal blocks lie together, from `starts` of the block on."""

    def __init__(self, hashes: "Hashes", block: Block) -> None:
        import numpy as np  # noqa: PLC0415 - 0.1 s to import

        keys = _part(hashes, block).astype(np.int64)
        self.order = np.argsort(keys, kind="stable")
        self.hashes, self.keys = hashes[self.order], keys[self.order]
        self.starts = np.zeros((1 << block.bits) + 1, np.int64)
        np.cumsum(np.bincount(keys, minlength=1 << block.bits), out=self.starts[1:])


def _search(held: _Sorted, flip: int, *, radius: int, before: tuple[Block, ...]) -> "list[tuple[Indices, Indices]]":
    """Give the pairs whose block differs by `flip`, without those that a block before has found."""
    import numpy as np  # noqa: PLC0415 - 0.1 s to import

    if flip:  # from one side: where the highest bit that differs is not set
        places = np.flatnonzero(held.keys & (1 << flip.bit_length() - 1) == 0)
        partner = held.keys[places] ^ flip
        firsts = held.starts[partner]
    else:
        places, partner = np.arange(len(held.keys)), held.keys
        firsts = places + 1
    counts = held.starts[partner + 1] - firsts
    found = []
    for i, j in _compare(held.hashes, places, firsts, counts, radius):
        new = ~_found_before(held.hashes[i] ^ held.hashes[j], before)
        found.append((held.order[i[new]], held.order[j[new]]))
    return found


def _part(hashes: "Hashes", block: Block) -> "Hashes":
    import numpy as np  # noqa: PLC0415 - 0.1 s to import

    return (hashes >> np.uint64(block.shift)) & np.uint64((1 << block.bits) - 1)


def _found_before(differing: "Hashes", blocks: tuple[Block, ...]) -> Any:
    import numpy as np  # noqa: PLC0415 - 0.1 s to import

    before = np.zeros(len(differing), bool)
    for block in blocks:
        before |= np.bitwise_count(_part(differing, block)) <= block.share
    return before


def _compare(
    hashes: "Hashes", places: "Indices", firsts: "Indices", counts: "Indices", radius: int
) -> "Iterator[tuple[Indices, Indices]]":
    """Compare the hash at each place with `counts` others from `firsts` on; give those within the radius."""
    import numpy as np  # noqa: PLC0415 - 0.1 s to import

    some = np.flatnonzero(counts)
    places, firsts, counts = places[some], firsts[some], counts[some]
    ends = np.cumsum(counts)
    low = 0
    while low < len(places):
        done = ends[low - 1] if low else 0
        high = max(low + 1, int(np.searchsorted(ends, done + _AT_ONCE, side="right")))
        each = counts[low:high]
        others = np.repeat(firsts[low:high] - (ends[low:high] - each - done), each)
        others += np.arange(len(others))
        differing = np.repeat(hashes[places[low:high]], each)
        differing ^= hashes[others]
        hits = np.flatnonzero(np.bitwise_count(differing) <= radius)
        if len(hits):
            yield places[low + np.searchsorted(ends[low:high] - done, hits, side="right")], others[hits]
        low = high
