"""The kernels: accumulate → finalize → select, for a range of queries against a range of candidates.

- *accumulate* (`corated.similarity.accumulate`) adds up the sums of a query with every candidate it meets;
- *finalize* (`corated.similarity.finalize`) turns the sums of those with at least ``min_common`` into values;
- *select* or *emit*: offer each pair to the best k of both sides (or of the query alone), or write it out.

All kernels are serial and release the GIL; the caller owns threads and gives each its own `Scratch` and
`TopK`. A cancel flag is looked at before each query.

For a measure of the caller's own, `sum_block` hands out sums a buffer at a time, and `offer_block` takes the
values back.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from corated.similarity.accumulate import accumulate
from corated.similarity.finalize import SCREEN_NONE, gather, screen, take, valued
from corated.similarity.jit import kernel
from corated.similarity.profiles import Profiles
from corated.similarity.statistics import Layout
from corated.similarity.tasks import CHUNK, INTEGERS, Flag, Floats, Ints, Labels, Pairs, Scratch, Task
from corated.similarity.topk import TopK, offer_row, offer_rows

__all__ = ["Buffer", "emit_block", "new_buffer", "offer_block", "select_block", "sum_block"]

Unsigned = np.uint64


@kernel
def _select(
    profiles: Profiles, task: Task, u: int, scratch: Scratch, kept: Unsigned, best: TopK, k: int, row: int
) -> None:
    """Offer each kept pair to the query's row and, if both sides are served, to the candidate's."""
    key, who, n, rank = scratch.key, scratch.who, scratch.sums[0], profiles.rank
    end = int(kept)
    j = 0
    while j < end:
        j = offer_row(best, k, row, key, n, who, rank, j, end)
    j = 0
    while task.both and task.symmetric and j < end:
        j = offer_rows(best, k, rank[u], key, n, who, j, end)
    while task.both and not task.symmetric and j < end:
        j = offer_rows(best, k, rank[u], scratch.back, n, who, j, end)


@kernel
def select_block(
    profiles: Profiles,
    layout: Layout,
    task: Task,
    queries: Ints,
    first_row: int,
    scratch: Scratch,
    best: TopK,
    k: int,
    cancel: Flag,
) -> int:
    """Find the best k of each query, and of each candidate if both sides are served.

    queries : int64, labels whose profile is within the layout's capacity
    first_row : the row of ``best`` that belongs to the first query; with ``task.both`` a query's own
        row is its label, and this is not used
    cancel : uint8 (1,), set by another thread to stop; returns the number of queries done
    """
    for index in range(len(queries)):
        if cancel[0] != 0:
            return index
        u = queries[index]
        if profiles.indptr[u + 1] - profiles.indptr[u] < task.min_common:
            continue
        row = u if task.both else first_row + index
        met = accumulate(profiles, layout, task, u, scratch)
        screens = task.screen != SCREEN_NONE and layout.words == 1
        if screens:
            met = screen(layout, task, u, scratch, best.known, best.known[row], met)
        at = np.uint64(0)
        while at < met:
            if screens:
                kept, at = take(layout, task, u, scratch, at, met)
            else:
                kept, at = gather(layout, task, u, scratch, at, met)
            valued(profiles, task, u, scratch, kept)
            _select(profiles, task, u, scratch, kept, best, k, row)
    return len(queries)


@kernel
def emit_block(
    profiles: Profiles,
    layout: Layout,
    task: Task,
    queries: Ints,
    scratch: Scratch,
    pairs: Pairs,
    cancel: Flag,
) -> int:
    """Write every pair of the queries with at least ``min_common`` to ``pairs``; returns how many.

    The caller gives room for all: at most the pair events of the queries, at most n a query.
    """
    out = 0
    for index in range(len(queries)):
        if cancel[0] != 0:
            return out
        u = queries[index]
        if profiles.indptr[u + 1] - profiles.indptr[u] < task.min_common:
            continue
        met = accumulate(profiles, layout, task, u, scratch)
        at = np.uint64(0)
        while at < met:
            kept, at = gather(layout, task, u, scratch, at, met)
            valued(profiles, task, u, scratch, kept)
            for j in range(kept):
                pairs.first[out] = u
                pairs.second[out] = scratch.who[j]
                pairs.value[out] = scratch.key[j] * task.sign
                pairs.n[out] = scratch.sums[0, j]
                out += 1
    return out


class Buffer(NamedTuple):
    """Sums of many pairs on their way to a measure of the caller's own.

    first, second : uint32, labels;  row : int64, the row of the selection that is the query's
    n : int64;  sums : float64 (8, capacity), in the order of the layout's or the family's fields
    key, back : float64, the value for the query and for the candidate, negated for distances
    state : int64 (3,), which query comes next, and how much of what it met is handed out already
    """

    first: Labels
    second: Labels
    row: Ints
    n: Ints
    sums: Floats
    key: Floats
    back: Floats
    state: Ints


def new_buffer(capacity: int) -> Buffer:
    """Return room for ``capacity`` pairs, at least CHUNK."""
    capacity = max(capacity, CHUNK)
    return Buffer(
        np.empty(capacity, dtype=np.uint32),
        np.empty(capacity, dtype=np.uint32),
        np.empty(capacity, dtype=np.int64),
        np.empty(capacity, dtype=np.int64),
        np.empty((8, capacity)),
        np.empty(capacity),
        np.empty(capacity),
        np.zeros(3, dtype=np.int64),
    )


@kernel
def sum_block(
    profiles: Profiles,
    layout: Layout,
    task: Task,
    queries: Ints,
    first_row: int,
    scratch: Scratch,
    buffer: Buffer,
    cancel: Flag,
) -> int:
    """Fill the buffer with sums of the next pairs; returns how many, 0 when all queries are done.

    Arguments as for `select_block`. ``buffer.state`` is all zero before the first call of a block.
    """
    out = 0
    room = len(buffer.first)
    state = buffer.state
    while state[0] < len(queries):
        u = queries[state[0]]
        if cancel[0] != 0:
            return out
        if profiles.indptr[u + 1] - profiles.indptr[u] >= task.min_common:
            if state[2] == 0:
                state[2] = accumulate(profiles, layout, task, u, scratch)
            while state[1] < state[2]:
                if out + CHUNK > room:
                    return out
                kept, at = gather(layout, task, u, scratch, np.uint64(state[1]), np.uint64(state[2]))
                state[1] = at
                row = u if task.both else first_row + state[0]
                for j in range(int(kept)):
                    buffer.first[out + j] = u
                    buffer.second[out + j] = scratch.who[j]
                    buffer.row[out + j] = row
                    buffer.n[out + j] = scratch.sums[0, j]
                for field in range(len(layout.where)):
                    for j in range(int(kept)):
                        if task.family == INTEGERS:
                            buffer.sums[field, out + j] = float(scratch.sums[field, j])
                        else:
                            buffer.sums[field, out + j] = scratch.fsums[field, j]
                out += int(kept)
        state[0] += 1
        state[1] = 0
        state[2] = 0
    return out


@kernel
def offer_block(profiles: Profiles, task: Task, buffer: Buffer, count: int, best: TopK, k: int) -> None:
    """Offer the first ``count`` pairs of the buffer, evaluated, to the rows they belong to."""
    rank = profiles.rank
    begin = 0
    while begin < count:
        end = begin + 1
        while end < count and buffer.row[end] == buffer.row[begin]:
            end += 1
        j = begin
        while j < end:
            j = offer_row(best, k, buffer.row[begin], buffer.key, buffer.n, buffer.second, rank, j, end)
        j = begin
        while task.both and j < end:
            j = offer_rows(best, k, rank[buffer.first[begin]], buffer.back, buffer.n, buffer.second, j, end)
        begin = end
