"""Whole rows: a query meets everyone, and its best k are chosen on the spot.

For measures whose order is that of Σ/(a + b), where a is of the query, b of the candidate, and Σ a sum of
integers that fits 32 bits together with the count: the cosine and Tversky's ratios. Each pair is met from
both sides. That takes twice the additions, and spares the scattered offers: only the query's own candidates
are looked at, in the first-level cache. Who is left out is decided in float32, with room for its rounding;
the values and the order of those who stay are the exact ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corated.similarity.finalize import SCREEN_PRODUCT, SCREEN_TVERSKY, evaluated
from corated.similarity.jit import inlined, kernel
from corated.similarity.profiles import Profiles
from corated.similarity.statistics import Layout
from corated.similarity.tasks import Flag, Floats, Ints, Labels, Raters, Task
from corated.similarity.topk import TopK, tie_of

__all__ = ["Room", "Rows", "can_serve", "new_room", "new_rows", "select_rows"]

Unsigned = np.uint64
Words = npt.NDArray[np.int32]
Singles = npt.NDArray[np.float32]
Whole = int | np.integer[Any]
Real = float | np.floating[Any]

_MOST = 128
"""The most neighbors for which rows are worth it: choosing takes comparisons of each with each."""
_SUBJECTS = 1 << 19
"""The most subjects: their accumulators lie in the cache."""
_LEAST_PARTS = 0.01
"""The least that the parts of a and b add up to, so that Σ/(a + b) is bounded: Σ is at most the smaller."""
_STEP, _PART = 64, 16
"""Candidates looked at together, and once more where one of them passes."""
_ROOM = 256
_SLACK = np.float32(1.0 - 4e-6)
"""What rounding in float32 can do to a candidate's order, and more."""
_NEVER = np.float32(1e30)
"""The weight of those that have no value with anyone."""
_DENSE = 6
"""With at least one event for so many candidates, it is quicker to look at all than to note who was met."""


class Rows(NamedTuple):
    """What all threads share.

    table : int32 (levels, levels), as `Layout.table`;  shift, mask : of the sum, and of the count
    weight : float32 (n + _STEP,), by label, b; `_NEVER` for those that have no value
    mine, theirs : float64, the parts of a and b: Σ/(mine a + theirs b), a of the same weights
    """

    table: Words
    shift: int
    mask: int
    weight: Singles
    mine: float
    theirs: float


class Room(NamedTuple):
    """Working memory of one thread.

    acc : int32 (n + _STEP,), zero between queries;  touched : uint32 (n + 1,)
    who, word : uint32, int32 (room,), candidates that may be among the best;  near : float32, Σ/(a + b)
    sums : int64 (6, room);  key, tie : float64, int64 (room,), as in `TopK`;  place : int64 (room,)
    """

    acc: Words
    touched: Labels
    who: Labels
    word: Words
    near: Singles
    sums: Ints
    key: Floats
    tie: Ints
    place: Ints
    own: Singles


def can_serve(layouts: list[Layout], task: Task, n: int, k: int) -> bool:
    """Tell whether a task of n subjects can be served row by row, with lists of k."""
    is_product = task.screen == SCREEN_PRODUCT
    if not is_product and (task.screen != SCREEN_TVERSKY or task.alpha + task.beta < _LEAST_PARTS):
        return False
    widest = layouts[-1]
    is_narrow = widest.words == 1 and int(widest.shift[-1]) + int(widest.mask[-1]).bit_length() <= 31
    is_plain = task.adjust == 0 and task.add == 0.0 and task.least <= 1 and task.min_common == 1
    return is_narrow and is_plain and len(layouts) == 1 and n <= _SUBJECTS and k <= _MOST


def new_rows(layout: Layout, task: Task) -> Rows:
    """Return what threads share, for a task that screens by a product or Tversky's ratio."""
    is_product = task.screen == SCREEN_PRODUCT
    weight = np.full(len(task.bound) + _STEP, _NEVER, dtype=np.float32)
    weight[: len(task.bound)] = np.where(task.p > 0.0, task.bound, _NEVER)
    return Rows(
        layout.table.astype(np.int32),
        int(layout.shift[-1]),
        int(layout.mask[0]),
        weight,
        0.0 if is_product else task.alpha,
        1.0 if is_product else task.beta,
    )


def new_room(n: int, k: int) -> Room:
    """Return working memory for n subjects and lists of k."""
    room = _ROOM + k + _STEP
    return Room(
        np.zeros(n + _STEP, dtype=np.int32),
        np.empty(n + 1, dtype=np.uint32),
        np.empty(room, dtype=np.uint32),
        np.empty(room, dtype=np.int32),
        np.empty(room, dtype=np.float32),
        np.zeros((6, room), dtype=np.int64),
        np.empty(room),
        np.empty(room, dtype=np.int64),
        np.empty(room, dtype=np.int64),
        np.empty(3, dtype=np.float32),
    )


@kernel
def _add(
    raters: Raters,
    start: Unsigned,
    stop: Unsigned,
    shift: Unsigned,
    low_bits: Unsigned,
    row: Words,
    acc: Words,
) -> None:
    for p in range(start, stop):
        rater = raters[p]
        acc[rater >> shift] += row[rater & low_bits]


@kernel
def _add_noting(
    raters: Raters,
    start: Unsigned,
    stop: Unsigned,
    shift: Unsigned,
    low_bits: Unsigned,
    row: Words,
    acc: Words,
    touched: Labels,
    met: Unsigned,
) -> Unsigned:
    for p in range(start, stop):
        rater = raters[p]
        v = rater >> shift
        word = acc[v]
        touched[met] = v
        met += np.uint64(word == 0)
        acc[v] = word + row[rater & low_bits]
    return met


@kernel
def _pick(
    acc: Words,
    weight: Singles,
    who: Labels,
    word: Words,
    shift: np.int32,
    base: np.float32,
    factor: np.float32,
    at: Unsigned,
    end: Unsigned,
    count: Unsigned,
    full: Unsigned,
) -> tuple[Unsigned, Unsigned]:
    """Append who of the candidates from ``at`` to ``end`` passes, and clear them, until so many are there.

    Returns (where to go on, how many there are now). Looks at many together first, since few pass.
    """
    step, part = np.uint64(_STEP), np.uint64(_PART)
    while at < end and count < full:
        hit = np.int32(0)
        for v in range(at, at + step):
            hit |= np.int32(np.float32(acc[v] >> shift) >= base + factor * weight[v])
        if hit != 0:
            for start in range(at, at + step, part):
                hit = np.int32(0)
                for v in range(start, start + part):
                    hit |= np.int32(np.float32(acc[v] >> shift) >= base + factor * weight[v])
                if hit != 0:
                    for v in range(start, start + part):
                        w = acc[v]
                        who[count] = v
                        word[count] = w
                        b = weight[v]
                        passes = (w != 0) & (b < _NEVER) & (np.float32(w >> shift) >= base + factor * b)
                        count += np.uint64(passes)
        for v in range(at, at + step):
            acc[v] = 0
        at += step
    return at, count


@kernel
def _pick_noted(
    acc: Words,
    weight: Singles,
    who: Labels,
    word: Words,
    shift: np.int32,
    base: np.float32,
    factor: np.float32,
    touched: Labels,
    at: Unsigned,
    end: Unsigned,
    count: Unsigned,
    full: Unsigned,
) -> tuple[Unsigned, Unsigned]:
    """As `_pick`, of candidates that were noted."""
    while at < end and count < full:
        stop = min(at + np.uint64(_STEP), end)
        for j in range(at, stop):
            v = touched[j]
            w = acc[v]
            acc[v] = 0
            who[count] = v
            word[count] = w
            b = weight[v]
            passes = (w != 0) & (b < _NEVER) & (np.float32(w >> shift) >= base + factor * b)
            count += np.uint64(passes)
        at = stop
    return at, count


@kernel
def _cut(
    rows: Rows, room: Room, a: float, fresh: Whole, count: Whole, k: int, floor: Real
) -> tuple[Whole, Real]:
    """Leave out who cannot be among the best k; returns how many stay, and what k of them reach.

    fresh : from where on they are new

    Halves the range in which the k-th best lies, until few more than k are above.
    """
    who, word, near = room.who, room.word, room.near
    shift, weight, mine, theirs = np.int32(rows.shift), rows.weight, np.float32(a), np.float32(rows.theirs)
    for j in range(fresh, count):
        near[j] = np.float32(word[j] >> shift) / (mine + theirs * weight[who[j]])
    low, high = np.float32(floor), np.float32(0.0)
    for j in range(count):
        high = max(high, near[j])
    above: Whole = count
    for _ in range(24):
        if above <= k + 16:
            break
        middle = np.float32(0.5) * (low + high)
        reached: Whole = np.int32(0)
        for j in range(count):
            reached += np.int32(near[j] >= middle)
        if reached >= k:
            low, above = middle, reached
        else:
            high = middle
    kept: Whole = 0
    least = low * _SLACK
    for j in range(count):
        w, v, x = word[j], who[j], near[j]
        word[kept], who[kept], near[kept] = w, v, x
        kept += np.int64(x >= least)
    return kept, low


@kernel
def _value(profiles: Profiles, rows: Rows, task: Task, u: int, room: Room, count: Whole) -> None:
    """Fill in the exact keys and ties of the candidates."""
    n, s, shift, mask, rank = room.sums[0], room.sums[1], rows.shift, rows.mask, profiles.rank
    for j in range(count):
        word = np.int64(room.word[j])
        n[j] = word & mask
        s[j] = word >> shift
    evaluated(task, u, room.sums, room.who, room.key, np.uint64(count), False)
    for j in range(count):
        room.tie[j] = tie_of(n[j], rank[room.who[j]])


@kernel
def _best_first(key: Floats, tie: Ints, place: Ints, count: Whole) -> None:
    """Find each candidate's place: how many stand before it."""
    for i in range(count):
        a, b = key[i], tie[i]
        before: Whole = 0
        for j in range(count):
            before += np.int64((key[j] > a) | ((key[j] == a) & (tie[j] > b)))
        place[i] = before


@kernel
def _cut_exactly(room: Room, count: Whole, k: int) -> Real:
    """Leave the best k of candidates that have their keys, in any order; returns what they reach.

    For lists with many of nearly the same value, which `_cut` cannot part. Quickselect, as in
    `corated.similarity.topk`, of keys, ties and places.
    """
    key, tie, place, who, word, near = room.key, room.tie, room.place, room.who, room.word, room.near
    for j in range(count):
        place[j] = j
    left, right = np.int64(0), np.int64(count) - 1
    while left < right:
        middle = (left + right) >> 1
        pivot_key, pivot_tie, pivot_place = key[middle], tie[middle], place[middle]
        key[middle], tie[middle], place[middle] = key[right], tie[right], place[right]
        i = left
        for j in range(left, right):
            a, b, c = key[j], tie[j], place[j]
            key[j], tie[j], place[j] = key[i], tie[i], place[i]
            key[i], tie[i], place[i] = a, b, c
            i += np.int64((a > pivot_key) | ((a == pivot_key) & (b > pivot_tie)))
        key[right], tie[right], place[right] = key[i], tie[i], place[i]
        key[i], tie[i], place[i] = pivot_key, pivot_tie, pivot_place
        if i == k - 1:
            break
        if i > k - 1:
            right = i - 1
        else:
            left = i + 1
    other_who, other_word, least = room.sums[0], room.sums[1], np.float32(np.inf)
    for j in range(k):
        other_who[j], other_word[j] = who[place[j]], word[place[j]]
        key[j] = near[place[j]]
        least = min(least, near[place[j]])
    for j in range(k):
        who[j], word[j], near[j] = other_who[j], other_word[j], key[j]
    return least


@inlined
def _set(rows: Rows, own: Singles, a: float, floor: Real) -> None:
    """Set what a candidate must pass: Σ at least base + factor b."""
    own[0] = np.float32(floor) * _SLACK * np.float32(a)
    own[1] = np.float32(floor) * _SLACK * np.float32(rows.theirs)


@kernel
def _narrow(
    profiles: Profiles,
    rows: Rows,
    task: Task,
    u: int,
    room: Room,
    own: Singles,
    fresh: Whole,
    count: Whole,
    k: int,
) -> Whole:
    """Make room for more candidates, and raise what they must pass; returns how many stay."""
    a = rows.mine * task.bound[u]
    kept, floor = _cut(rows, room, a, fresh, count, k, own[2])
    if kept > k + _ROOM // 2:
        _value(profiles, rows, task, u, room, kept)
        floor, kept = _cut_exactly(room, kept, k), k
    own[2] = floor
    _set(rows, own, a, floor)
    return kept


@kernel
def _meet(profiles: Profiles, rows: Rows, u: int, room: Room) -> tuple[bool, Unsigned]:
    """Add up the sums with everyone; returns whether all are to be looked at, and how many were noted."""
    raters, objects, rater_ptr = profiles.raters, profiles.objects, profiles.rater_ptr
    shift, low_bits = np.uint64(profiles.shift), np.uint64((1 << profiles.shift) - 1)
    events = 0
    for entry in range(profiles.indptr[u], profiles.indptr[u + 1]):
        events += rater_ptr[objects[entry] + 1] - rater_ptr[objects[entry]]
    is_dense = events * _DENSE > len(profiles.rank)
    met = np.uint64(0)
    for entry in range(profiles.indptr[u], profiles.indptr[u + 1]):
        first, last = np.uint64(rater_ptr[objects[entry]]), np.uint64(rater_ptr[objects[entry] + 1])
        row = rows.table[profiles.codes[entry]]
        if is_dense:
            _add(raters, first, last, shift, low_bits, row, room.acc)
        else:
            met = _add_noting(raters, first, last, shift, low_bits, row, room.acc, room.touched, met)
    room.acc[u] = 0
    return is_dense, met


@inlined
def _choose(
    profiles: Profiles,
    rows: Rows,
    task: Task,
    u: int,
    room: Room,
    own: Singles,
    k: int,
    dense: bool,
    met: Unsigned,
) -> Whole:
    """Choose those who may be among the best k of everyone met; returns how many."""
    own[:] = 0.0
    full = np.uint64(_ROOM + k)
    count, at = np.uint64(0), np.uint64(0)
    fresh: Whole = 0
    end = np.uint64(len(profiles.rank)) if dense else met
    acc, who, word, touched = room.acc, room.who, room.word, room.touched
    weight, shift = rows.weight, np.int32(rows.shift)
    while True:
        if dense:
            at, count = _pick(acc, weight, who, word, shift, own[0], own[1], at, end, count, full)
        else:
            at, count = _pick_noted(
                acc, weight, who, word, shift, own[0], own[1], touched, at, end, count, full
            )
        if at >= end:
            break
        count = np.uint64(_narrow(profiles, rows, task, u, room, own, fresh, np.int64(count), k))
        fresh = np.int64(count)
    kept: Whole = np.int64(count)
    if count > np.uint64(k + 16):
        kept = _narrow(profiles, rows, task, u, room, own, fresh, np.int64(count), k)
    return kept


@kernel
def select_rows(
    profiles: Profiles,
    rows: Rows,
    task: Task,
    queries: Ints,
    first_row: int,
    room: Room,
    best: TopK,
    k: int,
    cancel: Flag,
) -> int:
    """Find the best k of each query, best first, in rows of ``best`` that are empty.

    queries : int64, labels;  first_row : the row of the first
    cancel : uint8 (1,), set by another thread to stop; returns the number of queries done
    """
    key, tie, place, own = room.key, room.tie, room.place, room.own
    for index in range(len(queries)):
        if cancel[0] != 0:
            return index
        u = queries[index]
        if rows.weight[u] == _NEVER:
            continue
        dense, met = _meet(profiles, rows, u, room)
        count = _choose(profiles, rows, task, u, room, own, k, dense, met)
        _value(profiles, rows, task, u, room, count)
        _best_first(key, tie, place, count)
        base = best.base[first_row + index]
        for j in range(count):
            if place[j] < k:
                best.key[base + place[j]] = key[j]
                best.tie[base + place[j]] = tie[j]
        best.size[first_row + index] = min(count, k)
    return len(queries)
