"""Finding the best of many accumulated sums without looking at each: peaks, a floor, and who passes it.

Accumulators are taken in groups of `GROUP`. The *peak* of a lane is the largest of the few sums that lie a
lane's width apart, so that peaks come from whole vectors at once. What the k-th best of some hundred peaks
reaches, k candidates reach; that *floor* is close to the k-th best of all, and few lanes pass it.

Sums are counts of shared objects, which are compared in whole numbers, group by group; or words with Σ, which
is compared after it was multiplied by a factor of each candidate, in whole numbers too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corated.similarity.bits import WORD, list_bits, reaching
from corated.similarity.jit import inlined, kernel
from corated.similarity.tasks import Labels

__all__ = [
    "DEPTH",
    "FOLDED",
    "GROUP",
    "LANES",
    "count_peaks",
    "fold",
    "passing",
    "reached",
    "scaled_peaks",
    "sum_in",
]

Unsigned = np.uint64
Sums = npt.NDArray[Any]
Singles = npt.NDArray[np.float32]

LANES, DEPTH = WORD, 8
GROUP = LANES * DEPTH
"""Accumulators that lie together: so many lanes, so deep."""
_ROWS = 8
FOLDED = LANES * _ROWS
"""Peaks among which the floor is sought."""
_CLOSE = 4
_NEAR = np.float32(1.0 + 1.0 / 64.0)
_STEPS = 16


@inlined
def sum_in(word: np.int32, shift: np.int32) -> np.int32:
    """Return the sum in a word; told that the shift is below 32, the compiler keeps to 32 bits."""
    return np.int32(word >> (shift & np.int32(31)))


@kernel
def count_peaks(acc: Sums, peak: Sums, groups: Unsigned) -> None:
    """Set the peaks of counts; ``peak`` has their type, and a DEPTH-th of their length."""
    lanes = np.uint64(LANES)
    for g in range(groups):
        at, to = g * np.uint64(GROUP), g * lanes
        for j in range(lanes):
            v = at + j
            top = acc[v]
            for _ in range(DEPTH - 1):
                v += lanes
                top = max(top, acc[v])
            peak[to + j] = top


@kernel
def scaled_peaks(acc: Sums, shift: np.int32, factor: Singles, peak: Sums, groups: Unsigned) -> None:
    """Set the peaks of Σ times the candidate's factor, rounded down."""
    lanes = np.uint64(LANES)
    for g in range(groups):
        at, to = g * np.uint64(GROUP), g * lanes
        for j in range(lanes):
            v = at + j
            top = np.int32(np.float32(sum_in(acc[v], shift)) * factor[v])
            for _ in range(DEPTH - 1):
                v += lanes
                top = max(top, np.int32(np.float32(sum_in(acc[v], shift)) * factor[v]))
            peak[to + j] = top


@kernel
def fold(peak: Sums, unit: Singles, near: Singles, groups: Unsigned) -> None:
    """Fold all peaks, times the unit of their group, into FOLDED of them: the largest of each.

    unit : float32 (groups,);  near : float32 (FOLDED,)
    """
    near[:] = 0.0
    lanes = np.uint64(LANES)
    for g in range(groups):
        at, to, factor = g * lanes, (g & np.uint64(_ROWS - 1)) * lanes, unit[g]
        for j in range(lanes):
            x, y = np.float32(peak[at + j]) * factor, near[to + j]
            near[to + j] = x if x > y else y


@inlined
def _largest(near: Singles, count: int) -> np.float32:
    """Return the largest of the numbers, or 0; four at a time, since each comparison waits for the last."""
    a = b = c = d = np.float32(0.0)
    whole = count - count % 4
    for j in range(0, whole, 4):
        w, x, y, z = near[j], near[j + 1], near[j + 2], near[j + 3]
        a = a if a > w else w
        b = b if b > x else x
        c = c if c > y else y
        d = d if d > z else z
    for j in range(whole, count):
        a = a if a > near[j] else near[j]
    a = a if a > b else b
    c = c if c > d else d
    return a if a > c else c


@kernel
def reached(near: Singles, count: int, k: int) -> np.float32:
    """Return what at least k of the numbers reach, and few more than k; 0 where there are fewer above it."""
    low, high = np.float32(0.0), _largest(near, count)
    passed = count
    for _ in range(_STEPS):
        if passed <= k + _CLOSE or high <= low * _NEAR:
            break
        middle = np.float32(0.5) * (low + high)
        many = np.int32(0)
        for j in range(count):
            many = np.int32(many + np.int32(near[j] >= middle))  # or 64 bits would be summed up
        if many >= k:
            low, passed = middle, int(many)
        else:
            high = middle
    return low


@kernel
def passing(peak: Sums, limit: Sums, lanes: Labels, groups: Unsigned) -> Unsigned:
    """List where the first sums of those lanes stand whose peak is at least their group's limit; how many.

    limit : (groups,), of the type of the peaks;  lanes : uint32, filled
    """
    found = np.uint64(0)
    for g in range(groups):
        bits = reaching(peak, g * np.uint64(LANES), limit[g])
        found = list_bits(bits, g * np.uint64(GROUP), lanes, found)
    return found
