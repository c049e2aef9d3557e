"""Choosing the best k of whole rows: few candidates are evaluated, and each goes to its place.

Subjects with the same profile of one rating have the same best, but for themselves; where they follow one
another, these are found once.
"""

from __future__ import annotations

import numpy as np

from corated.similarity.columns import recount
from corated.similarity.finalize import evaluated
from corated.similarity.jit import inlined, kernel
from corated.similarity.meeting import BYTE, count_few, meet_adding, meet_counting, meet_few, meet_one
from corated.similarity.peaks import reached
from corated.similarity.profiles import Profiles
from corated.similarity.rows import NEVER, SLACK, SPARE, Lists, Room, Rows
from corated.similarity.tasks import CHUNK, Flag, Ints, Task
from corated.similarity.topk import RANK_MASK, keep_best, tie_of

__all__ = ["close_up", "select_rows"]

Unsigned = np.uint64

_VECTOR = 8
"""Numbers of 64 bits that are compared together."""

_COUNTS_DENSE, _SUMS_DENSE = 16, 9
"""With at least one event for so many candidates, it is quicker to look at all than to note who was met."""


@inlined
def _filled(count: Unsigned, width: int) -> Unsigned:
    """Round up to whole vectors: what is left of a loop after those takes as long as several of them."""
    return (count + np.uint64(width - 1)) & ~np.uint64(width - 1)


@inlined
def _cut(rows: Rows, room: Room, a: float, count: Unsigned, k: int) -> Unsigned:
    """Leave out who cannot be among the best k; returns how many stay."""
    who, word, near = room.who, room.word, room.near
    shift, weight, mine, theirs = np.int32(rows.shift), rows.weight, np.float32(a), np.float32(rows.theirs)
    for j in range(count):
        near[j] = weight[who[j]]
    for j in range(count, _filled(count, SPARE)):
        near[j] = np.float32(1.0)
    for j in range(_filled(count, SPARE)):
        near[j] = np.float32(word[j] >> shift) / (mine + theirs * near[j])
    least = reached(near, int(count), k) * SLACK
    kept = np.uint64(0)
    for j in range(count):
        word[kept], who[kept] = word[j], who[j]
        kept += np.uint64(near[j] >= least)
    return kept


@inlined
def _evaluate(
    profiles: Profiles, rows: Rows, task: Task, u: int, room: Room, count: Unsigned, k: int
) -> Unsigned:
    """Fill in the exact keys and ties of the candidates, of at most the best 2 k, in any order; how many."""
    n, s, shift, mask, rank = room.sums[0], room.sums[1], rows.shift, rows.mask, profiles.rank
    key, tie, value, some, who, word = room.key, room.tie, room.value, room.some, room.who, room.word
    have, at = np.uint64(0), np.uint64(0)
    while at < count:
        many = min(count - at, np.uint64(CHUNK))
        for j in range(many):
            w = np.int64(word[at + j])
            some[j] = who[at + j]
            n[j] = w & mask
            s[j] = w >> shift
        for j in range(many, _filled(many, SPARE)):
            some[j], n[j], s[j] = u, 1, 0
        evaluated(task, u, room.sums, some, value, _filled(many, SPARE), False)
        for j in range(many):
            key[have + j] = value[j]
            tie[have + j] = tie_of(n[j], rank[some[j]])
        have += many
        at += many
        if have > np.uint64(k + k):
            keep_best(key, tie, 0, int(have), k)
            have = np.uint64(k)
    return have


@inlined
def _sort(room: Room, count: Unsigned, k: int) -> Unsigned:
    """Put the best k of the candidates in order, best first; returns how many.

    Each goes to its place: how many stand before it. Four are compared with all at a time, and what is beyond
    the candidates, up to whole vectors, stands behind them all.
    """
    key, tie, place, one = room.key, room.tie, room.place, np.uint64(1)
    padded = _filled(count, _VECTOR)
    for j in range(count, padded):
        key[j] = -np.inf
    for j in range(padded):
        place[j] = 0
    for first in range(np.uint64(0), count, np.uint64(4)):
        i = np.uint64(first)
        a, s = key[i], tie[i]
        b, t = key[i + one], tie[i + one]
        c, u = key[i + one + one], tie[i + one + one]
        d, v = key[i + one + one + one], tie[i + one + one + one]
        for j in range(padded):
            x, y = key[j], tie[j]
            before = np.int64((a > x) | ((a == x) & (s > y))) + np.int64((b > x) | ((b == x) & (t > y)))
            before += np.int64((c > x) | ((c == x) & (u > y))) + np.int64((d > x) | ((d == x) & (v > y)))
            place[j] += before
    for j in range(count):
        if place[j] < k:
            room.sorted_key[place[j]] = key[j]
            room.sorted_tie[place[j]] = tie[j]
    return min(count, np.uint64(k))


@inlined
def _write(room: Room, size: Unsigned, own: Unsigned, lists: Lists, row: int) -> None:
    """Write the best to their row, one after another: out of order, lines of the cache would wait.

    size : how many are written;  own : the place that is left out, from ``size`` on for none
    """
    first = np.uint64(lists.start[row])
    for j in range(size):
        at = j + np.uint64(j >= own)
        lists.neighbor[first + j] = RANK_MASK - (room.sorted_tie[at] & RANK_MASK)
        lists.common[first + j] = room.sorted_tie[at] >> 32
        lists.value[first + j] = room.sorted_key[at] * lists.sign
    lists.size[row] = size


@inlined
def _place_of(room: Room, size: Unsigned, rank: int) -> Unsigned:
    """Return at which place of the best a subject stands; ``size`` where it does not."""
    for j in range(size):
        if room.sorted_tie[j] & RANK_MASK == RANK_MASK - rank:
            return np.uint64(j)
    return size


@inlined
def _is_as(profiles: Profiles, u: int, before: int) -> bool:
    """Tell whether two profiles of one rating are the same."""
    a, b, indptr = profiles.indptr[u], profiles.indptr[before], profiles.indptr
    return bool(
        indptr[before + 1] - b == 1
        and profiles.objects[a] == profiles.objects[b]
        and profiles.codes[a] == profiles.codes[b]
    )


@kernel
def select_rows(
    profiles: Profiles,
    rows: Rows,
    task: Task,
    queries: Ints,
    to: Ints,
    room: Room,
    lists: Lists,
    k: int,
    cancel: Flag,
) -> int:
    """Find the best k of each query and write them to its row, best first.

    queries : int64, labels;  to : int64, the row of each
    cancel : uint8 (1,), set by another thread to stop; returns the number of queries done
    """
    size = np.uint64(0)
    for index in range(len(queries)):
        if cancel[0] != 0:
            return index
        u = queries[index]
        if rows.weight[u] == NEVER:
            continue
        is_one = profiles.indptr[u + 1] - profiles.indptr[u] == 1
        if not is_one or index == 0 or not _is_as(profiles, u, queries[index - 1]):
            most = k + int(is_one)  # itself included
            size = _sort(room, _chosen(profiles, rows, task, u, room, most), most)
        own = _place_of(room, size, profiles.rank[u]) if is_one else size
        _write(room, min(size - np.uint64(own < size), np.uint64(k)), own, lists, to[index])
    return len(queries)


@kernel
def close_up(lists: Lists, indptr: Ints) -> None:
    """Move rows together, in place, so that each begins where the one before ends.

    indptr : int64 (rows + 1,), where they begin then
    """
    for row in range(len(lists.size)):
        source, to = lists.start[row], indptr[row]
        if source != to:
            for j in range(lists.size[row]):
                lists.neighbor[to + j] = lists.neighbor[source + j]
                lists.value[to + j] = lists.value[source + j]
                lists.common[to + j] = lists.common[source + j]


@inlined
def _chosen(profiles: Profiles, rows: Rows, task: Task, u: int, room: Room, k: int) -> Unsigned:
    """Meet everyone and evaluate those who may be among the best k; returns how many are in the room.

    The query itself is among them where it has one rating.
    """
    a, n, dense = profiles.indptr[u + 1] - profiles.indptr[u], len(profiles.rank), _SUMS_DENSE
    if rows.counts:
        dense = _COUNTS_DENSE
    is_bare = False
    if a == 1:
        count = meet_one(profiles, rows, profiles.indptr[u], room)
    elif rows.events[u] * dense <= n:
        if rows.counts and a <= BYTE:
            count = count_few(profiles, rows, u, room)
        else:
            count = meet_few(profiles, rows, u, room)
    elif not rows.counts:
        count = meet_adding(profiles, rows, u, room, k)
        is_bare = len(rows.columns.slot) > 0 and bool(count > 0)
        if count == 0:
            count = meet_few(profiles, rows, u, room)
    elif a <= BYTE:
        count = meet_counting(profiles, rows, task, u, room, room.few, room.small_peak, room.small_limit, k)
    else:
        count = meet_counting(profiles, rows, task, u, room, room.acc, room.peak, room.limit, k)
    if count > np.uint64(k + (k >> 2)):
        count = _cut(rows, room, rows.mine * task.bound[u], count, k)
    if is_bare:
        recount(profiles, u, room.who, room.word, room.mark, count)
    return _evaluate(profiles, rows, task, u, room, count, k)
