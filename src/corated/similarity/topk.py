"""The total order of neighbors, and the pieces that select and merge by it.

Better value first, then more common ratings, then the smaller id. A candidate carries two numbers: its
*key* (the value, negated for distances, so that larger is better) and its *tie*, ``n << 32 | ~rank``,
which orders candidates of equal key and at the same time says who they are. The order is total, so a
selection does not depend on the order of arrival, and merging over disjoint candidates is associative.

A row collects candidates unsorted in a room somewhat larger than k; when the room is full, a partition
keeps the best k, and the worst of them becomes the *floor* that later candidates must pass. An offer thus
writes one place instead of sifting a heap, which matters since most rows are not in the cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corated.similarity.jit import allocating, inlined, kernel

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint32]
Codes = npt.NDArray[np.int32]

__all__ = [
    "RANK_MASK",
    "TopK",
    "absorb",
    "better",
    "keep_best",
    "merge_topk",
    "new_topk",
    "offer_row",
    "offer_rows",
    "room_for",
    "settle",
    "tie_of",
    "unpack_rows",
]

RANK_MASK = 0xFFFFFFFF
"""The low half of a tie is ``RANK_MASK - rank``."""


class TopK(NamedTuple):
    """The best k candidates of each of n subjects.

    key : float64, tie : int64, row v from ``base[v]`` to ``base[v] + size[v]``
    base : int64 (n + 1,), where each row's room begins
    size : int64 (n,), how many there are
    floor, floor_tie : float64, int64 (n,), what a newcomer must be better than; −inf while there is room
    known : float64 (n,), what k candidates of each are known to reach, here or elsewhere

    Threads share ``known``, so that each profits from what the others found. Whoever reads it while another
    writes gets the one bound or the other, and both hold: what is below cannot be among the best k, so the
    result does not depend on it.

    While selecting, rows are unsorted; after `settle` they hold at most k, best first.
    """

    key: Floats
    tie: Ints
    base: Ints
    size: Ints
    floor: Floats
    floor_tie: Ints
    known: Floats


def room_for(k: int, bound: Ints) -> Ints:
    """Return the places of each row: k and some to collect newcomers in, or all there can be."""
    room: Ints = np.minimum(bound, k + max(32, k // 4))
    return room


def new_topk(k: int, bound: Ints, known: Floats | None = None) -> TopK:
    """Return an empty selection.

    bound : int64 (n,), the largest number of offers each subject can get
    known : float64 (n,), what k candidates of each are known to reach, to be kept up; None where nothing is
    """
    room = room_for(k, bound)
    base = np.zeros(len(bound) + 1, dtype=np.int64)
    np.cumsum(room, out=base[1:])
    n = len(bound)
    return TopK(
        np.empty(base[-1], dtype=np.float64),
        np.empty(base[-1], dtype=np.int64),
        base,
        np.zeros(n, dtype=np.int64),
        np.full(n, -np.inf),
        np.zeros(n, dtype=np.int64),
        np.full(n, -np.inf) if known is None else known,
    )


@inlined
def tie_of(n: int, rank: int) -> int:
    """Pack the tie-breakers: more in common first, then the smaller rank."""
    return (n << 32) | (RANK_MASK - rank)


@inlined
def better(key_a: float, tie_a: int, key_b: float, tie_b: int) -> bool:
    """Whether a stands before b in the total order."""
    return key_a > key_b or (key_a == key_b and tie_a > tie_b)


@kernel
def keep_best(key: Floats, tie: Ints, first: int, last: int, k: int) -> None:
    """Move the best k of entries first to last to the front; the k-th best comes to rest behind them.

    Quickselect; the partition has no branch on the data, since a mispredicted one costs more than a swap.
    """
    left, right, target = first, last - 1, first + k - 1
    while left < right:
        middle = (left + right) >> 1
        pivot_key, pivot_tie = key[middle], tie[middle]
        key[middle], tie[middle] = key[right], tie[right]
        i = left
        for j in range(left, right):
            a, b = key[j], tie[j]
            key[j], tie[j] = key[i], tie[i]
            key[i], tie[i] = a, b
            i += (a > pivot_key) | ((a == pivot_key) & (b > pivot_tie))
        key[right], tie[right] = key[i], tie[i]
        key[i], tie[i] = pivot_key, pivot_tie
        if i == target:
            break
        if target < i:
            right = i - 1
        else:
            left = i + 1


@inlined
def _append(
    best_key: Floats, best_tie: Ints, base: Ints, size: Ints, v: int, new_key: float, new_tie: int
) -> bool:
    """Append to row v; returns whether the room is now full."""
    at = base[v] + size[v]
    best_key[at] = new_key
    best_tie[at] = new_tie
    size[v] += 1
    return bool(at + 1 == base[v + 1])


@kernel
def _shrink(best: TopK, k: int, v: int) -> None:
    """Cut a full row to its best k and raise its floor; a row with room for k at most stays."""
    first = best.base[v]
    if best.size[v] > k:
        keep_best(best.key, best.tie, first, first + best.size[v], k)
        best.size[v] = k
        best.floor[v] = best.key[first + k - 1]
        best.floor_tie[v] = best.tie[first + k - 1]
        best.known[v] = max(best.known[v], best.floor[v])


@kernel
def offer_row(
    best: TopK, k: int, row: int, key: Floats, n: Ints, who: Labels, rank: Ints, begin: int, end: int
) -> int:
    """Offer candidates ``who[begin:end]`` to one row, until it is full; returns where to go on.

    key : float64, NaN is never taken; n : int64, co-rated counts; rank : int64, by candidate

    The loop is in here, since a call for each candidate would cost more than what it does.
    """
    best_key, best_tie, base, size = best.key, best.tie, best.base, best.size
    floor, floor_tie, known = best.floor[row], best.floor_tie[row], best.known[row]
    for j in range(begin, end):
        if key[j] >= known:
            tie = tie_of(n[j], rank[who[j]])
            if (key[j] > floor or tie > floor_tie) and _append(
                best_key, best_tie, base, size, row, key[j], tie
            ):
                _shrink(best, k, row)
                return j + 1
    return end


@kernel
def offer_rows(
    best: TopK, k: int, rank_u: int, key: Floats, n: Ints, who: Labels, begin: int, end: int
) -> int:
    """Offer one candidate, of rank ``rank_u``, to the rows ``who[begin:end]``, until one is full.

    Arguments and result as for `offer_row`.
    """
    best_key, best_tie, base, size = best.key, best.tie, best.base, best.size
    floor, floor_tie, known = best.floor, best.floor_tie, best.known
    for j in range(begin, end):
        v = who[j]
        if key[j] >= known[v]:
            tie = tie_of(n[j], rank_u)
            if (key[j] > floor[v] or tie > floor_tie[v]) and _append(
                best_key, best_tie, base, size, v, key[j], tie
            ):
                _shrink(best, k, v)
                return j + 1
    return end


@kernel
def settle(best: TopK, k: int, start: int, stop: int) -> None:
    """Cut rows start to stop to their best k and sort them best first, in place."""
    key, tie = best.key, best.tie
    for v in range(start, stop):
        first = best.base[v]
        last = first + best.size[v]
        if last - first > k:
            keep_best(key, tie, first, last, k)
            last = first + k
            best.size[v] = k
        gap = 1
        while gap * 3 < last - first:
            gap = gap * 3 + 1
        while gap > 0:  # Shell sort: rows are short
            for i in range(first + gap, last):
                a, b = key[i], tie[i]
                j = i
                while j >= first + gap and better(a, b, key[j - gap], tie[j - gap]):
                    key[j] = key[j - gap]
                    tie[j] = tie[j - gap]
                    j -= gap
                key[j] = a
                tie[j] = b
            gap //= 3


@allocating
def absorb(left: TopK, right: TopK, k: int, start: int, stop: int) -> None:
    """Merge rows start to stop of ``right`` into ``left``, in place; both are settled, and so is the result.

    The candidates must be disjoint, and each row of ``left`` must have room for k, or for all there are.
    """
    key, tie = np.empty(k, dtype=np.float64), np.empty(k, dtype=np.int64)
    for v in range(start, stop):
        a, b = left.base[v], right.base[v]
        first, a_end, b_end = a, a + left.size[v], b + right.size[v]
        size = 0
        while size < k and (a < a_end or b < b_end):
            if b == b_end or (a < a_end and better(left.key[a], left.tie[a], right.key[b], right.tie[b])):
                key[size], tie[size] = left.key[a], left.tie[a]
                a += 1
            else:
                key[size], tie[size] = right.key[b], right.tie[b]
                b += 1
            size += 1
        for j in range(size):
            left.key[first + j], left.tie[first + j] = key[j], tie[j]
        left.size[v] = size


@kernel
def unpack_rows(
    best: TopK, rows: Ints, sign: float, indptr: Ints, other: Codes, value: Floats, common: Codes
) -> None:
    """Write settled rows out, one after another: who (by rank), the value, the co-rated count.

    rows : int64 (m,), which rows, in order;  indptr : int64 (m + 1,), where each goes
    """
    for index in range(len(rows)):
        at = best.base[rows[index]]
        for out in range(indptr[index], indptr[index + 1]):
            other[out] = RANK_MASK - (best.tie[at] & RANK_MASK)
            common[out] = best.tie[at] >> 32
            value[out] = best.key[at] * sign
            at += 1


def merge_topk(left: TopK, right: TopK, k: int) -> TopK:
    """Merge two settled selections of the same subjects over disjoint candidates; the result is settled.

    Associative and commutative.
    """
    n = len(left.size)
    out = new_topk(k, np.minimum(left.size + right.size, k))
    absorb(out, left, k, 0, n)
    absorb(out, right, k, 0, n)
    return out
