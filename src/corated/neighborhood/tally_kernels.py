"""Counting all pairs by how much they share and whether they have a value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corated.similarity.accumulate import accumulate
from corated.similarity.finalize import evaluate, gather
from corated.similarity.jit import kernel
from corated.similarity.kernels import Buffer
from corated.similarity.profiles import Profiles
from corated.similarity.statistics import Layout
from corated.similarity.tasks import Flag, Floats, Ints, Labels, Scratch, Task

__all__ = [
    "ONE_WAY",
    "OVERLAP",
    "STATES",
    "VALUED",
    "WHOLE",
    "Counts",
    "new_counts",
    "tally_block",
    "tally_buffer",
]

Unsigned = np.uint64

STATES = 4
VALUED, ONE_WAY, WHOLE, OVERLAP = range(STATES)
"""A value for both; for one of them only; none, as one's whole profile shows; none, on what they share."""


class Counts(NamedTuple):
    """One thread's counts.

    pairs : int64 (sizes * STATES,), pairs by how many they share and by state, entry ``n * STATES + state``
    most : int32 (n,) by label, the most that a subject shares with anyone
    reach : int32 (n,) by label, the same among pairs in which it has a value for the other; 0 for none
    """

    pairs: Ints
    most: npt.NDArray[np.int32]
    reach: npt.NDArray[np.int32]


def new_counts(n: int, largest: int) -> Counts:
    """Return zeros for n subjects that share at most ``largest``."""
    return Counts(
        np.zeros((largest + 1) * STATES, dtype=np.int64),
        np.zeros(n, dtype=np.int32),
        np.zeros(n, dtype=np.int32),
    )


@kernel
def _tally(
    u: int, who: Labels, n: Ints, key: Floats, back: Floats, begin: int, end: int, dead: Flag, counts: Counts
) -> None:
    """Count the pairs of one query; NaN in ``key`` is no value for u, in ``back`` none for the candidate."""
    pairs, most, reach = counts.pairs, counts.most, counts.reach
    most_u, reach_u = most[u], reach[u]
    for j in range(begin, end):
        v, common = who[j], np.int32(n[j])
        forward, backward = key[j] == key[j], back[j] == back[j]
        most[v] = max(most[v], common)
        most_u = max(most_u, common)
        if backward and common > reach[v]:
            reach[v] = common
        if forward and common > reach_u:
            reach_u = common
        if forward and backward:
            state = VALUED
        elif forward or backward:
            state = ONE_WAY
        elif dead[u] != 0 or dead[v] != 0:
            state = WHOLE
        else:
            state = OVERLAP
        pairs[np.int64(common) * STATES + state] += 1
    most[u], reach[u] = most_u, reach_u


@kernel
def tally_block(
    profiles: Profiles,
    layout: Layout,
    task: Task,
    queries: Ints,
    scratch: Scratch,
    dead: Flag,
    counts: Counts,
    cancel: Flag,
) -> None:
    """Count the pairs of some queries, each unordered pair once; the task is for both and does not screen.

    task : with a ``min_common`` of 2, pairs that share one thing are counted as without a value, and not in
        ``counts.most``
    dead : uint8 (n,) by label, 1 for those whose whole profile shows that they have no value with anyone
    cancel : as for `corated.similarity.kernels.select_block`
    """
    single = STATES + OVERLAP
    back = scratch.key if task.symmetric else scratch.back
    for index in range(len(queries)):
        if cancel[0] != 0:
            return
        u = queries[index]
        first = profiles.indptr[u]
        if task.min_common > 1 and profiles.indptr[u + 1] - first == 1:
            counts.pairs[single] += task.high[profiles.objects[first]] - profiles.after[first]
            continue
        met = accumulate(profiles, layout, task, u, scratch)
        counts.pairs[single] += np.int64(met)
        at = np.uint64(0)
        while at < met:
            kept, at = gather(layout, task, u, scratch, at, met)
            evaluate(profiles, task, u, scratch, kept)
            counts.pairs[single] -= np.int64(kept)
            _tally(u, scratch.who, scratch.sums[0], scratch.key, back, 0, int(kept), dead, counts)


@kernel
def tally_buffer(buffer: Buffer, count: int, dead: Flag, counts: Counts) -> None:
    """Count the first ``count`` pairs of a buffer of `corated.similarity.kernels.sum_block`, evaluated."""
    begin = 0
    while begin < count:
        end = begin + 1
        while end < count and buffer.first[end] == buffer.first[begin]:
            end += 1
        _tally(
            int(buffer.first[begin]),
            buffer.second,
            buffer.n,
            buffer.key,
            buffer.back,
            begin,
            end,
            dead,
            counts,
        )
        begin = end
