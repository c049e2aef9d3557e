"""Choosing the best k of whole rows: few candidates are evaluated, and each goes to its place.

Subjects with the same profile of one rating have the same best, but for themselves; where they follow one
another, these are found once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corated.similarity.bits import WORD, list_bits, reaching
from corated.similarity.columns import recount
from corated.similarity.finalize import COSINE, cosine, tversky
from corated.similarity.intrinsics import prefetch
from corated.similarity.jit import inlined, kernel
from corated.similarity.meeting import (
    BYTE,
    count_few,
    count_twice,
    filled,
    meet_adding,
    meet_counting,
    meet_few,
    meet_one,
    to_values,
)
from corated.similarity.peaks import reached, sum_in
from corated.similarity.profiles import Profiles
from corated.similarity.rows import NEVER, SLACK, SPARE, Lists, Room, Rows
from corated.similarity.tasks import CHUNK, Flag, Floats, Ints, Task
from corated.similarity.topk import RANK_MASK, better, keep_best, tie_of

__all__ = ["close_up", "select_rows"]

Unsigned = np.uint64
Sums = npt.NDArray[Any]

_VECTOR = 8
"""Numbers of 64 bits that are compared together."""

_FINE = np.float64(1 << 30)
"""Into how many steps 1 is cut, to tell the order of values from -1 to 1 by 32 bits."""
_ULPS, _TIE_BITS = np.int64(16), np.int64(28)
"""Behind them stand the value's last bits, which tell values apart that are equal but for rounding, and then
so many bits of the tie-breakers."""
_LAST = np.int64(-(2**63))

_LINE = 64
"""Bytes of a line of the cache."""

_TWICE = 1000
"""Events from which on it is quicker to note who was met twice first."""
_COUNTS_DENSE, _SUMS_DENSE = 16, 9
"""With at least one event for so many candidates, it is quicker to look at all than to note who was met."""
_SMALL = 1 << 14
"""Subjects up to which it pays to note half as many events again."""


@inlined
def _cut(rows: Rows, room: Room, a: float, shift: np.int32, count: Unsigned, k: int) -> Unsigned:
    """Leave out the query, who has no value, and who cannot be among the best k; unpack the words of others.

    shift : of the sum, in the words;  returns how many stay
    """
    who, word, near, at, least = room.who, room.word, room.near, room.at, np.float32(0.0)
    to_values(rows, room, a, shift, count)
    if count > np.uint64(k + (k >> 2)):
        least = reached(near, int(filled(count, SPARE)), k) * SLACK
    kept = np.uint64(0)
    for first in range(np.uint64(0), count, np.uint64(WORD)):
        kept = list_bits(reaching(near, np.uint64(first), least), np.uint64(first), at, kept)
    mask, worth = np.int32(rows.mask), np.int32(rows.worth)
    for i in range(kept):
        packed = word[at[i]]
        who[i] = who[at[i]]
        room.sum[i], room.common[i] = sum_in(packed, shift) * worth, packed & mask
    return kept


@inlined
def _evaluate(profiles: Profiles, task: Task, u: int, room: Room, count: Unsigned, k: int) -> Unsigned:
    """Fill in the exact keys and ties of the candidates, of at most the best 2 k, in any order; how many."""
    key, tie, who, total, common = room.key, room.tie, room.who, room.sum, room.common
    p, q, rank = task.p[u], task.q, profiles.rank
    have, at = np.uint64(0), np.uint64(0)
    while at < count:
        many = min(count - at, np.uint64(CHUNK))
        for j in range(many):
            key[have + j] = q[who[at + j]]
            tie[have + j] = tie_of(int(common[at + j]), rank[who[at + j]])
        for j in range(many, filled(many, _VECTOR)):
            key[have + j], total[at + j], common[at + j] = p, 1, 1
        if task.formula == COSINE:
            for j in range(filled(many, _VECTOR)):
                key[have + j] = cosine(total[at + j], p, key[have + j], 0.0)
        else:
            for j in range(filled(many, _VECTOR)):
                key[have + j] = tversky(common[at + j], p, key[have + j], task.alpha, task.beta, 0.0)
        have += many
        at += many
        if have > np.uint64(k + k):
            keep_best(key, tie, 0, int(have), k)
            have = np.uint64(k)
    return have


@inlined
def _sort(room: Room, count: Unsigned, k: int, rank_bits: int) -> Unsigned:
    """Put the best k of the candidates in order, best first; returns how many.

    Each goes to its place: how many stand before it. What is compared is one number of key, common ratings
    and rank, as fine as 64 bits allow, the rank whole; what that does not tell is put in order after.
    Four are compared with all at a time, and what is beyond the candidates, up to whole vectors, stands
    behind them all.

    rank_bits : bits of the largest rank
    """
    key, tie, place, one = room.key, room.tie, room.place, np.uint64(1)
    order, best, best_tie, key_bits = room.order, room.sorted_key, room.sorted_tie, room.key_bits
    padded, bits = filled(count, _VECTOR), np.int64(rank_bits)
    most, low_bits = np.int64(1 << (_TIE_BITS - bits)) - 1, np.int64(1 << bits) - 1
    for j in range(count):
        fine = (min(tie[j] >> 32, most) << bits) | (tie[j] & low_bits)
        ulps = (key_bits[j] + _ULPS // 2) & (_ULPS - 1)  # so that values just below a round one are before it
        order[j] = (np.int64(np.int32(key[j] * _FINE)) << 32) | (ulps << _TIE_BITS) | fine
    for j in range(count, padded):
        order[j] = _LAST
    for j in range(padded):
        place[j] = 0
    for first in range(np.uint64(0), count, np.uint64(4)):
        i = np.uint64(first)
        a, b, c, d = order[i], order[i + one], order[i + one + one], order[i + one + one + one]
        for j in range(padded):
            x = order[j]
            place[j] += np.int64(a > x) + np.int64(b > x) + np.int64(c > x) + np.int64(d > x)
    for j in range(count):
        best[place[j]] = key[j]
        best_tie[place[j]] = tie[j]
    wrong = np.int64(0)
    for j in range(np.uint64(1), count):
        i = np.uint64(j) - one
        wrong |= np.int64((best[j] > best[i]) | ((best[j] == best[i]) & (best_tie[j] > best_tie[i])))
    if wrong != 0:
        _mend(best, best_tie, count)
    return min(count, np.uint64(k))


@kernel
def _mend(key: Floats, tie: Ints, count: Unsigned) -> None:
    """Put in order what is nearly so, by insertion."""
    one = np.uint64(1)
    for j in range(np.uint64(1), count):
        new, new_tie, i = key[j], tie[j], np.uint64(j)
        while i > 0 and better(new, new_tie, key[i - one], tie[i - one]):
            key[i], tie[i] = key[i - one], tie[i - one]
            i -= one
        if i < j:
            key[i], tie[i] = new, new_tie


@inlined
def _write(room: Room, size: Unsigned, own: Unsigned, lists: Lists, row: int) -> None:
    """Write the best to their row, one after another: out of order, lines of the cache would wait.

    size : how many are written;  own : the place that is left out, from ``size`` on for none
    """
    first, before = np.uint64(lists.start[row]), min(own, size)
    _copy(room, np.uint64(0), lists, first, before)
    _copy(room, before + np.uint64(1), lists, first + before, size - before)
    lists.size[row] = size


@inlined
def _prefetch_row(lists: Lists, row: int, k: int) -> None:
    """Ask for where the next row will be written: rows are served by label, and lie apart."""
    first, most = np.uint64(lists.start[row]), np.uint64(k)
    last = min(first + most, np.uint64(len(lists.value)))
    prefetch(lists.size, row)
    for at in range(first, last, np.uint64(_LINE // 8)):  # of float64
        prefetch(lists.value, np.uint64(at))
    for at in range(first, last, np.uint64(_LINE // 4)):  # of int32
        prefetch(lists.neighbor, np.uint64(at))
        prefetch(lists.common, np.uint64(at))


@inlined
def _copy(room: Room, at: Unsigned, lists: Lists, first: Unsigned, count: Unsigned) -> None:
    key, tie, neighbor, common, value = (
        room.sorted_key,
        room.sorted_tie,
        lists.neighbor,
        lists.common,
        lists.value,
    )
    for j in range(count):
        neighbor[first + j] = RANK_MASK - (tie[at + j] & RANK_MASK)
        common[first + j] = tie[at + j] >> 32
        value[first + j] = key[at + j] * lists.sign


@inlined
def _place_of(room: Room, size: Unsigned, rank: int) -> Unsigned:
    """Return at which place of the best a subject stands; ``size`` where it does not."""
    for j in range(size):
        if room.sorted_tie[j] & RANK_MASK == RANK_MASK - rank:
            return np.uint64(j)
    return size


@inlined
def _is_as(profiles: Profiles, rows: Rows, u: int, before: int) -> bool:
    """Tell whether two profiles of one rating count the same."""
    a, b, indptr = profiles.indptr[u], profiles.indptr[before], profiles.indptr
    return bool(
        indptr[before + 1] - b == 1
        and profiles.objects[a] == profiles.objects[b]
        and (rows.counts or profiles.codes[a] == profiles.codes[b])
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
        if index + 1 < len(queries):
            _prefetch_row(lists, to[index + 1], k)
        u = queries[index]
        if rows.weight[u] == NEVER:
            continue
        is_one = profiles.indptr[u + 1] - profiles.indptr[u] == 1
        if not is_one or index == 0 or not _is_as(profiles, rows, u, queries[index - 1]):
            most = k + int(is_one)  # itself included
            size = _sort(room, _chosen(profiles, rows, task, u, room, most), most, rows.rank_bits)
        own = _place_of(room, size, profiles.rank[u]) if is_one else size
        _write(room, min(size - np.uint64(own < size), np.uint64(k)), own, lists, to[index])
    return len(queries)


@kernel
def close_up(lists: Lists, indptr: Ints) -> None:
    """Move rows together, in place, so that each begins where the one before ends.

    indptr : int64 (rows + 1,), where they begin then
    """
    start, rows, first = lists.start, len(lists.size), 0
    while first < rows:
        gap, stop = start[first] - indptr[first], first + 1
        while stop < rows and start[stop] - indptr[stop] == gap:
            stop += 1  # full rows, which move as one
        if gap > 0:
            to, end = np.uint64(indptr[first]), np.uint64(indptr[stop])
            _move(lists.neighbor, to, end, np.uint64(gap))
            _move(lists.value, to, end, np.uint64(gap))
            _move(lists.common, to, end, np.uint64(gap))
        first = stop


@inlined
def _move(column: Sums, to: Unsigned, end: Unsigned, gap: Unsigned) -> None:
    for at in range(to, end):
        column[at] = column[at + gap]


@inlined
def _chosen(profiles: Profiles, rows: Rows, task: Task, u: int, room: Room, k: int) -> Unsigned:
    """Meet everyone and evaluate those who may be among the best k; returns how many are in the room.

    The query itself is among them where it has one rating.
    """
    a, n, dense = profiles.indptr[u + 1] - profiles.indptr[u], len(profiles.rank), _SUMS_DENSE
    if rows.counts:
        dense = _COUNTS_DENSE
    if n <= _SMALL:
        n += n >> 1
    shift, is_bare = np.int32(rows.shift), False
    if a == 1:
        count = meet_one(profiles, rows, profiles.indptr[u], room)
    elif rows.events[u] * dense <= n and a <= rows.most:
        if rows.counts and a <= BYTE and rows.events[u] >= _TWICE:
            count = count_twice(profiles, rows, task, u, room, k)
        elif rows.counts and a <= BYTE:
            count = count_few(profiles, rows, u, room)
        else:
            count = meet_few(profiles, rows, u, room)
    elif not rows.counts:
        is_bare = len(rows.columns.slot) > 0 or a > rows.most
        count = meet_adding(profiles, rows, u, room, k, is_bare)
        if is_bare and rows.zeros and count == 0:
            is_bare = False  # sums of 0 are of those with zeros, whose words fit all
            count = meet_few(profiles, rows, u, room)
    elif a <= BYTE:
        count = meet_counting(profiles, rows, task, u, room, room.few, room.small_peak, room.small_limit, k)
    else:
        count = meet_counting(profiles, rows, task, u, room, room.acc, room.peak, room.limit, k)
    if is_bare:
        shift = np.int32(0)
    count = _cut(rows, room, rows.mine * task.bound[u], shift, count, k)
    if is_bare:
        recount(profiles, u, room.who, room.common, room.mark, count)
    return _evaluate(profiles, task, u, room, count, k)
