"""All pairs of 64-bit hashes that differ in few bits, without comparing every pair.

The 64 bits are cut into blocks. Where two hashes differ in at most r bits, at least one block differs in no more
than its share of them (the pigeonhole principle), so that only hashes whose block is nearly the same are compared.
Exact: nothing is missed. Source: multi-index hashing, Norouzi, Punjani and Fleet 2012 (arXiv 1307.2982), with the
shares of Qin et al. 2018 ("GPH"): they need to add up to no more than r - blocks + 1.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Indices = NDArray[np.int64]

BITS = 64
MAX_RADIUS = 16
_AT_ONCE = 1 << 21
"""Comparisons at once: their arrays stay within some 60 MB."""
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
    found = [pair for index in range(len(blocks)) for pair in _pairs_of_block(hashes, blocks, index, radius)]
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


def _pairs_of_block(
    hashes: "Hashes", blocks: tuple[Block, ...], index: int, radius: int
) -> "Iterator[tuple[Indices, Indices]]":
    """Give the pairs that this block finds and none before it."""
    import numpy as np  # noqa: PLC0415 - 0.1 s to import

    block = blocks[index]
    keys = _part(hashes, block).astype(np.int64)
    order = np.argsort(keys, kind="stable")
    sorted_hashes, sorted_keys = hashes[order], keys[order]
    starts = np.zeros((1 << block.bits) + 1, np.int64)
    np.cumsum(np.bincount(keys, minlength=1 << block.bits), out=starts[1:])
    places = np.arange(len(hashes))
    for flip in block.flips:
        partner = sorted_keys ^ flip
        firsts = starts[partner] if flip else places + 1
        counts = starts[partner + 1] - firsts
        counts[partner < sorted_keys] = 0  # seen from the other side
        for i, j in _compare(sorted_hashes, firsts, counts, radius):
            new = ~_found_before(sorted_hashes[i] ^ sorted_hashes[j], blocks[:index])
            yield order[i[new]], order[j[new]]


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
    hashes: "Hashes", firsts: "Indices", counts: "Indices", radius: int
) -> "Iterator[tuple[Indices, Indices]]":
    """Compare each hash with `counts` others from `firsts` on; give those within the radius."""
    import numpy as np  # noqa: PLC0415 - 0.1 s to import

    which = np.flatnonzero(counts)
    ends = np.cumsum(counts[which])
    low = 0
    while low < len(which):
        done = ends[low - 1] if low else 0
        high = max(low + 1, int(np.searchsorted(ends, done + _AT_ONCE, side="right")))
        part, each = which[low:high], counts[which[low:high]]
        offsets = firsts[part] - (ends[low:high] - each - done)
        others = np.repeat(offsets, each) + np.arange(ends[high - 1] - done)
        differing = np.repeat(hashes[part], each) ^ hashes[others]
        hits = np.flatnonzero(np.bitwise_count(differing) <= radius)
        if len(hits):
            yield part[np.searchsorted(ends[low:high] - done, hits, side="right")], others[hits]
        low = high
