"""Meeting everyone: what a query shares with each candidate is added up, and those who may be chosen listed.

- *one*: the query has one rating; its object's raters are the candidates.
- *few*: whoever is met for the first time is listed.
- *twice*: whoever is met twice is listed, and then those of the others who may be chosen.
- *counting* and *adding*: who is met is not noted, and the best are found among all by their peaks, see
  `corated.similarity.peaks`. Where all pairs of ratings count the same, counts are enough; those of a query
  of at most 255 ratings fit single bytes, and the accumulators the first-level cache.

All leave the accumulators zero, and who was listed in ``room.who``, with the words in ``room.word`` and the
weights in ``room.near``. Words are of counts, of Σ with the count beside it, or of Σ alone. The query and
those without a value may be among them still, but for the last two.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corated.similarity.accumulate import add_noting
from corated.similarity.columns import add_columns
from corated.similarity.jit import inlined, kernel
from corated.similarity.peaks import (
    DEPTH,
    FOLDED,
    GROUP,
    LANES,
    count_peaks,
    fold,
    passing,
    reached,
    scaled_peaks,
    sum_in,
)
from corated.similarity.profiles import Profiles
from corated.similarity.rows import NEVER, SLACK, SPARE, Room, Rows
from corated.similarity.tasks import Labels, Raters, Task

__all__ = [
    "BYTE",
    "count_few",
    "count_twice",
    "filled",
    "meet_adding",
    "meet_counting",
    "meet_few",
    "meet_one",
    "to_values",
]

Unsigned = np.uint64
Words = npt.NDArray[np.int32]
Sums = npt.NDArray[Any]

BYTE = 255
"""The most ratings of a query whose counts fit a byte."""


@inlined
def filled(count: Unsigned, width: int) -> Unsigned:
    """Round up to whole vectors: what is left of a loop after those takes as long as several of them."""
    return (count + np.uint64(width - 1)) & ~np.uint64(width - 1)


@inlined
def to_values(rows: Rows, room: Room, a: float, shift: np.int32, count: Unsigned) -> None:
    """Turn the weights of those listed into Σ/(a + b), −1 for the query and for who has no value.

    shift : of the sum, in the words
    """
    word, near, nobody = room.word, room.near, np.float32(-1.0)
    mine, theirs = np.float32(a), np.float32(rows.theirs)
    for j in range(count, filled(count, SPARE)):
        near[j], word[j] = np.float32(1.0), 0
    for j in range(filled(count, SPARE)):
        value = np.float32(sum_in(word[j], shift)) / (mine + theirs * near[j])
        near[j] = value if (word[j] != 0) & (near[j] < NEVER) else nobody


@inlined
def _count(labels: Raters, start: Unsigned, stop: Unsigned, acc: Sums) -> None:
    for p in range(start, stop):
        acc[labels[p]] += 1


@inlined
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


@inlined
def _count_noting(
    labels: Raters, start: Unsigned, stop: Unsigned, acc: Sums, touched: Labels, met: Unsigned, before: int
) -> Unsigned:
    """Count, and note who was met so many times before."""
    for p in range(start, stop):
        v = labels[p]
        many = acc[v]
        touched[met] = v
        met += np.uint64(many == before)
        acc[v] = many + 1
    return met


@inlined
def _span(profiles: Profiles, entry: int) -> tuple[Unsigned, Unsigned]:
    column = profiles.objects[entry]
    return np.uint64(profiles.rater_ptr[column]), np.uint64(profiles.rater_ptr[column + 1])


@inlined
def _span_after(profiles: Profiles, entry: int, stop: int) -> tuple[Unsigned, Unsigned]:
    """Return the span of the next entry (below ``stop``), read while the raters of this one are walked.

    Where their loop ends, the processor goes wrong, and what it reads only then it waits for.
    """
    return _span(profiles, min(entry + 1, stop - 1))


@inlined
def meet_one(profiles: Profiles, rows: Rows, entry: int, room: Room) -> Unsigned:
    """List all raters of one object, with the query itself; returns how many."""
    raters, shift, low_bits = profiles.raters, np.uint64(profiles.shift), np.uint64((1 << profiles.shift) - 1)
    first, last = _span(profiles, entry)
    row, who, word, weight = rows.table[profiles.codes[entry]], room.who, room.word, rows.weight
    near = room.near
    for p in range(first, last):
        v = raters[p] >> shift
        who[p - first] = v
        near[p - first] = weight[v]
        word[p - first] = row[raters[p] & low_bits]
    return last - first


@inlined
def meet_few(profiles: Profiles, rows: Rows, u: int, room: Room) -> Unsigned:
    """Add up the sums with everyone met, list them, and clear; returns how many."""
    shift, low_bits = np.uint64(profiles.shift), np.uint64((1 << profiles.shift) - 1)
    acc, who, word = room.acc, room.who, room.word
    met, start, stop = np.uint64(0), profiles.indptr[u], profiles.indptr[u + 1]
    span = _span(profiles, start)
    for entry in range(start, stop):
        first, last = span
        span = _span_after(profiles, entry, stop)
        row = rows.table[profiles.codes[entry]]
        met = add_noting(profiles.raters, first, last, shift, low_bits, row, acc, who, met)
    acc[u] = 0
    weight, near = rows.weight, room.near
    for j in range(met):
        v = who[j]
        near[j] = weight[v]
        word[j] = acc[v]
        acc[v] = 0
    return met


@inlined
def count_few(profiles: Profiles, rows: Rows, u: int, room: Room) -> Unsigned:
    """As `meet_few`, for a query of at most 255 ratings that all count the same."""
    acc, who, word = room.few, room.who, room.word
    met, start, stop = np.uint64(0), profiles.indptr[u], profiles.indptr[u + 1]
    span = _span(profiles, start)
    for entry in range(start, stop):
        first, last = span
        span = _span_after(profiles, entry, stop)
        met = _count_noting(rows.lists, first, last, acc, who, met, 0)
    acc[u] = 0
    weight, near = rows.weight, room.near
    for j in range(met):
        v = who[j]
        near[j] = weight[v]
        word[j] = acc[v]
        acc[v] = 0
    return met


@kernel
def count_twice(profiles: Profiles, rows: Rows, task: Task, u: int, room: Room, k: int) -> Unsigned:
    """As `count_few`, but of those who were met once, only who may be among the best k are listed.

    k of those who were met twice reach some value; once is enough for that only up to some weight, and raters
    stand in the order of their weights.
    """
    acc, who, word, lists = room.few, room.who, room.word, rows.lists
    entries, met = range(profiles.indptr[u], profiles.indptr[u + 1]), np.uint64(0)
    for entry in entries:
        first, last = _span(profiles, entry)
        met = _count_noting(lists, first, last, acc, who, met, 1)
    acc[u] = 0
    for j in range(met):
        word[j] = acc[who[j]]
    _weigh(rows, room, met)
    limit = NEVER
    if met >= k:
        a = rows.mine * task.bound[u]
        to_values(rows, room, a, np.int32(0), met)
        floor = reached(room.near, int(filled(met, SPARE)), k) * SLACK
        if floor > 0.0:
            limit = np.float32(1.0) / floor - np.float32(a)
        _weigh(rows, room, met)
    for entry in entries:
        first, last = _span(profiles, entry)
        met = _list_once(rows, lists, first, last, limit, room, met)
    for entry in entries:
        first, last = _span(profiles, entry)
        for p in range(first, last):
            acc[lists[p]] = 0
    return met


@inlined
def _list_once(
    rows: Rows, labels: Raters, start: Unsigned, stop: Unsigned, limit: np.float32, room: Room, met: Unsigned
) -> Unsigned:
    """List who was met once, up to a weight, times the candidates' part; returns how many are listed."""
    acc, who, word, near = room.few, room.who, room.word, room.near
    weight, theirs = rows.weight, np.float32(rows.theirs)
    for p in range(start, stop):
        v = labels[p]
        if theirs * weight[v] > limit:
            break
        who[met], word[met], near[met] = v, 1, weight[v]
        met += np.uint64(acc[v] == 1)
    return met


@inlined
def meet_counting(
    profiles: Profiles, rows: Rows, task: Task, u: int, room: Room, acc: Sums, peak: Sums, limit: Sums, k: int
) -> Unsigned:
    """Count what a query shares with everyone; list who may be among the best k, and clear.

    acc, peak, limit : of one type, int32 or uint8
    """
    has_columns, a = len(rows.columns.slot) > 0, profiles.indptr[u + 1] - profiles.indptr[u]
    if has_columns:
        add_columns(profiles, rows.columns, u, room.starts, room.few, acc, a > BYTE)
    start, stop = profiles.indptr[u], profiles.indptr[u + 1]
    span = _span(profiles, start)
    for entry in range(start, stop):
        first, last = span
        span = _span_after(profiles, entry, stop)
        if not has_columns or rows.columns.slot[profiles.objects[entry]] == 0:
            _count(rows.lists, first, last, acc)
    acc[u] = 0
    groups = np.uint64(len(rows.lightest))
    mine, theirs = np.float32(rows.mine * task.bound[u]), np.float32(rows.theirs)
    unit, lightest, heaviest = room.unit, rows.lightest, rows.heaviest
    count_peaks(acc, peak, groups)
    for g in range(groups):
        unit[g] = np.float32(1.0) / (mine + theirs * heaviest[g])
    floor = _floor(peak, room, groups, k)
    for g in range(groups):
        least = np.float32(np.ceil(floor * (mine + theirs * lightest[g]) * SLACK))
        limit[g] = min(max(least, np.float32(1.0)), np.float32(BYTE))
    found = passing(peak, limit, room.at, groups)
    kept = _take_counts(rows, room, acc, limit, found)
    acc[:] = 0
    return kept


@inlined
def _weigh(rows: Rows, room: Room, kept: Unsigned) -> None:
    weight, who, near = rows.weight, room.who, room.near
    for j in range(kept):
        near[j] = weight[who[j]]


@inlined
def _take_counts(rows: Rows, room: Room, acc: Sums, limit: Sums, found: Unsigned) -> Unsigned:
    """List whose count is at least the limit of the group; returns how many."""
    lanes, who, word = room.at, room.who, room.word
    kept = np.uint64(0)
    for i in range(found):
        v = np.uint64(lanes[i])
        least = limit[v // np.uint64(GROUP)]
        for _ in range(DEPTH):
            many = acc[v]
            who[kept] = v
            word[kept] = many
            kept += np.uint64(many >= least)
            v += np.uint64(LANES)
    _weigh(rows, room, kept)
    return kept


@inlined
def meet_adding(profiles: Profiles, rows: Rows, u: int, room: Room, k: int, is_bare: bool) -> Unsigned:
    """Add up the sums with everyone; list who may be among the best k, and clear.

    is_bare : whether sums stand alone, as they must with columns; then 0 is returned where one of 0 may be
        among the best, and cannot be told from nothing in common
    """
    low_bits, acc = np.uint64((1 << profiles.shift) - 1), room.acc
    has_columns = len(rows.columns.slot) > 0
    table, shift = rows.table, np.int32(rows.shift)
    if is_bare:
        table, shift = rows.sums, np.int32(0)
    if has_columns:
        add_columns(profiles, rows.columns, u, room.starts, room.few, acc, True)
    start, stop = profiles.indptr[u], profiles.indptr[u + 1]
    span = _span(profiles, start)
    for entry in range(start, stop):
        first, last = span
        span = _span_after(profiles, entry, stop)
        if not has_columns or rows.columns.slot[profiles.objects[entry]] == 0:
            row = table[profiles.codes[entry]]
            _add(profiles.raters, first, last, np.uint64(profiles.shift), low_bits, row, acc)
    acc[u] = 0
    groups = np.uint64(len(rows.lightest))
    scaled_peaks(acc, shift, rows.factor, room.peak, groups)
    room.unit[:] = np.float32(1.0)
    least = np.int32(_floor(room.peak, room, groups, k) * SLACK)
    room.limit[:] = least
    found = passing(room.peak, room.limit, room.at, groups)
    lanes, who, word, factor = room.at, room.who, room.word, rows.factor
    kept = np.uint64(0)
    for i in range(found):
        v = np.uint64(lanes[i])
        for _ in range(DEPTH):
            w, f = acc[v], factor[v]
            who[kept] = v
            word[kept] = w
            kept += np.uint64((np.int32(np.float32(sum_in(w, shift)) * f) >= least) & (w != 0) & (f > 0))
            v += np.uint64(LANES)
    _weigh(rows, room, kept)
    acc[:] = 0
    return kept if least > 0 or not (is_bare and rows.zeros) else np.uint64(0)


@inlined
def _floor(peak: Sums, room: Room, groups: Unsigned, k: int) -> np.float32:
    """Return what k candidates reach at least, in units of the groups; 0 where there may be fewer."""
    fold(peak, room.unit, room.folded, groups)
    return reached(room.folded, FOLDED, k)
