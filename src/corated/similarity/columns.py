"""Columns of often rated objects: what everyone's rating counts as, one byte for each subject.

Where a good part of the subjects rated an object, adding a whole column of bytes is quicker than walking its
raters, one after another. The sums of bytes are carried over, times the query's own rating, before they could
pass 255. They are without the counts of packed words; those of the few who are chosen are counted anew.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corated.similarity.jit import kernel
from corated.similarity.profiles import Profiles
from corated.similarity.tasks import Ints, Labels

__all__ = ["Columns", "add_columns", "columns_of", "often_rated", "recount"]

Unsigned = np.uint64
Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.int32]
Sums = npt.NDArray[Any]

_OFTEN = 32
"""One rater among so many subjects is enough for a column."""
_MANY = 16
"""Ratings of a profile that must have a column, on average: carrying over costs as much as some columns."""
_MOST_BYTES = 24 << 20
_BYTE = 255
_TOGETHER = 4


class Columns(NamedTuple):
    """Columns, or none: then ``slot`` is empty.

    slot : int64 (objects,), where an object's column starts; 0, that of a column of zeros, where it has none
    bytes : uint8, columns one after another
    numbers : int32 (levels,), what a rating code counts as
    batch : how many columns add up to at most 255
    """

    slot: Ints
    bytes: Bytes
    numbers: Words
    batch: int


def columns_of(profiles: Profiles, sums: Ints, padded: int, *, counts: bool) -> Columns:
    """Spread out the often rated objects where that pays.

    sums : int64 (levels, levels), what a pair of ratings adds: the product of a number of each
    padded : the length of a column;  counts : only whether an object was rated counts
    """
    chosen = often_rated(profiles, sums, padded, counts=counts)
    numbers = _numbers(sums, counts=counts)
    if len(chosen) == 0:
        return Columns(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint8), numbers, 0)
    slot = np.zeros(len(profiles.rater_ptr) - 1, dtype=np.int64)
    slot[chosen] = np.arange(1, len(chosen) + 1) * padded
    width, batch = (len(chosen) + 1) * padded, _BYTE // int(numbers.max())
    columns = Columns(slot, np.zeros(width, dtype=np.uint8), numbers, batch)
    _spread(profiles, columns)
    return columns


def often_rated(profiles: Profiles, sums: Ints, padded: int, *, counts: bool) -> Ints:
    """Return the objects that get a column; none where it does not pay. Arguments as for `columns_of`."""
    many = np.diff(profiles.rater_ptr)
    chosen = np.flatnonzero(many * _OFTEN >= padded)
    fits = (len(chosen) + 1) * padded <= _MOST_BYTES
    is_small = 1 <= int(_numbers(sums, counts=counts).max(initial=0)) * _TOGETHER <= _BYTE
    pays = many[chosen].sum() >= _MANY * max(len(profiles.rank), 1)
    return chosen if fits and is_small and pays else chosen[:0]


def _numbers(sums: Ints, *, counts: bool) -> Words:
    """Return what each rating code counts as: the square of it is what two of them add."""
    squares = np.diag(sums)
    return np.ones(len(squares), dtype=np.int32) if counts else np.rint(np.sqrt(squares)).astype(np.int32)


@kernel
def _spread(profiles: Profiles, columns: Columns) -> None:
    raters, shift, low_bits = profiles.raters, np.uint64(profiles.shift), (1 << profiles.shift) - 1
    for column in range(len(columns.slot)):
        start = columns.slot[column]
        if start != 0:
            for p in range(profiles.rater_ptr[column], profiles.rater_ptr[column + 1]):
                rater = raters[p]
                columns.bytes[np.uint64(start) + (rater >> shift)] = columns.numbers[rater & low_bits]


@kernel
def add_columns(
    profiles: Profiles,
    columns: Columns,
    u: int,
    starts: Ints,
    few: Bytes,
    acc: Sums,
    carries: bool,
) -> None:
    """Add up what a query shares with everyone of the objects that have a column, in ``acc``.

    starts : int64, room for the query's objects and 4 more
    few : uint8, zero, and zero again after; or ``acc`` itself, where no sum passes 255, ``carries`` off
    """
    objects, codes, slot, numbers = profiles.objects, profiles.codes, columns.slot, columns.numbers
    first, last, together = profiles.indptr[u], profiles.indptr[u + 1], np.uint64(_TOGETHER)
    for code in range(len(numbers)):
        waiting = np.uint64(0)
        for entry in range(first, last):
            starts[waiting] = slot[objects[entry]]
            waiting += np.uint64((codes[entry] == code) & (slot[objects[entry]] != 0))
        for extra in range(together):
            starts[waiting + extra] = 0
        added = 0
        for at in range(np.uint64(0), waiting, together):
            _add_four(columns.bytes, starts, np.uint64(at), few)
            added += _TOGETHER
            if carries and (added + _TOGETHER > columns.batch or at + together >= waiting):
                _carry(few, numbers[code], acc)
                added = 0


@kernel
def _add_four(columns: Bytes, starts: Ints, at: Unsigned, few: Bytes) -> None:
    one = np.uint64(1)
    a, b = np.uint64(starts[at]), np.uint64(starts[at + one])
    c, d = np.uint64(starts[at + one + one]), np.uint64(starts[at + one + one + one])
    for v in range(np.uint64(len(few))):
        few[v] += columns[a + v] + columns[b + v] + columns[c + v] + columns[d + v]


@kernel
def _carry(few: Bytes, times: np.int32, acc: Sums) -> None:
    for v in range(np.uint64(len(few))):
        acc[v] += few[v] * times
    few[:] = 0


@kernel
def recount(profiles: Profiles, u: int, who: Labels, common: Words, mark: Bytes, count: Unsigned) -> None:
    """Count how many objects each candidate shares with the query, where sums do not tell.

    mark : uint8 (objects,), zero, and zero again after
    """
    objects, indptr = profiles.objects, profiles.indptr
    for entry in range(np.uint64(indptr[u]), np.uint64(indptr[u + 1])):
        mark[objects[entry]] = 1
    for j in range(count):
        v, shared = who[j], np.int32(0)
        for entry in range(np.uint64(indptr[v]), np.uint64(indptr[v + np.uint64(1)])):
            shared += mark[objects[entry]]
        common[j] = shared
    for entry in range(np.uint64(indptr[u]), np.uint64(indptr[u + 1])):
        mark[objects[entry]] = 0
