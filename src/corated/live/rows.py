"""Rows of ratings with room between them: a rating comes in, changes or goes in its row's own place.

Both orientations are such rows. Inside a row ratings are in the order of time, then of the ids' ranks;
without times in the order of ranks. A full row moves to the end with twice the room, and leaves a hole.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corated.similarity.jit import kernel

__all__ = ["Entry", "LiveRows", "Rows", "facts_of", "find_entry", "gather"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_LEAST = 4
"""Entries that a row has room for at least."""


class Rows(NamedTuple):
    """Row r is ``first[r]`` to ``last[r]`` of the flat arrays, and may grow to ``room[r]`` entries.

    other : int32, codes of the other side;  code : uint8, rating codes;  time : int64, UTC microseconds
    word : uint32 or uint64, ``other << shift | code``, as kernels of similarity read it
    weight : float64, what the rating counts as a like, in the units that the index keeps
    """

    first: Int64s
    last: Int64s
    room: Int64s
    other: npt.NDArray[np.int32]
    code: npt.NDArray[np.uint8]
    time: Int64s
    word: npt.NDArray[np.unsignedinteger[Any]]
    weight: Floats


class Entry(NamedTuple):
    """One rating on its way into a row; ``word`` is made of the rest."""

    other: int
    code: int
    time: int
    weight: float


@kernel
def find_entry(rows: Rows, row: int, other: int) -> int:
    """Return where a row has a code of the other side; −1 where it has not."""
    for at in range(rows.first[row], rows.last[row]):
        if rows.other[at] == other:
            return int(at)
    return -1


@kernel
def _insert(
    rows: Rows, rank: Int64s, row: int, other: int, code: int, time: int, weight: float, shift: int
) -> int:
    """Put an entry into a row that has room; returns where."""
    at = rows.last[row]
    mine = rank[other]
    while at > rows.first[row]:
        before = at - 1
        if rows.time[before] < time or (rows.time[before] == time and rank[rows.other[before]] < mine):
            break
        rows.other[at] = rows.other[before]
        rows.code[at] = rows.code[before]
        rows.time[at] = rows.time[before]
        rows.word[at] = rows.word[before]
        rows.weight[at] = rows.weight[before]
        at = before
    rows.other[at] = other
    rows.code[at] = code
    rows.time[at] = time
    rows.word[at] = (other << shift) | code
    rows.weight[at] = weight
    rows.last[row] += 1
    return int(at)


@kernel
def _remove(rows: Rows, row: int, at: int) -> None:
    """Take one entry out of a row."""
    last = rows.last[row] - 1
    for place in range(at, last):
        rows.other[place] = rows.other[place + 1]
        rows.code[place] = rows.code[place + 1]
        rows.time[place] = rows.time[place + 1]
        rows.word[place] = rows.word[place + 1]
        rows.weight[place] = rows.weight[place + 1]
    rows.last[row] = last


@kernel
def gather(rows: Rows, which: Int64s, starts: Int64s, source: Int64s) -> None:
    """Write out where the entries of some rows stand, one row behind the other, beginning at ``starts``."""
    for index in range(len(which)):
        out = starts[index]
        for at in range(rows.first[which[index]], rows.last[which[index]]):
            source[out] = at
            out += 1


@kernel
def facts_of(rows: Rows, row: int, integers: Int64s, out: Floats) -> None:
    """Write the number of ratings of a row, their sum and the sum of squares, exactly."""
    total, squares = 0, 0
    for at in range(rows.first[row], rows.last[row]):
        value = integers[rows.code[at]]
        total += value
        squares += value * value
    out[0] = rows.last[row] - rows.first[row]
    out[1] = total
    out[2] = squares


class LiveRows:
    """Rows of one side, made of arrays in order and changed in place; whoever changes them is alone.

    arrays : replaced, never resized, so that who holds them can go on reading
    holes : entries that nobody uses any more
    """

    def __init__(self, counts: Int64s, columns: tuple[npt.NDArray[Any], ...], shift: int) -> None:
        """Lay out rows of ``counts`` entries; ``columns`` are other, code, time, weight, row after row."""
        self.shift, self.holes = shift, 0
        room = counts + np.maximum(counts >> 3, 1)
        first = np.zeros(len(counts), dtype=np.int64)
        np.cumsum(room[:-1], out=first[1:])
        self.used = int(room.sum())
        size = self.used + max(self.used >> 3, 64)
        source = _places(first, counts)
        other, code, time, weight = columns
        word = (other.astype(np.uint64) << np.uint64(shift)) | code
        narrow = np.uint32 if int(other.max(initial=0)) + 1 < 2 ** (31 - shift) else np.uint64
        self.arrays = Rows(
            _spare(first, len(counts)),
            _spare(first + counts, len(counts)),
            _spare(room, len(counts)),
            _placed(other.astype(np.int32, copy=False), source, size),
            _placed(code, source, size),
            _placed(time, source, size),
            _placed(word.astype(narrow), source, size),
            _placed(weight, source, size),
        )
        self.n = len(counts)

    @property
    def counts(self) -> Int64s:
        """The number of entries of each row."""
        return self.arrays.last[: self.n] - self.arrays.first[: self.n]

    def size(self, row: int) -> int:
        """Return the number of entries of one row."""
        return int(self.arrays.last[row] - self.arrays.first[row])

    def row(self, row: int) -> slice:
        """Return where the entries of one row stand in the arrays."""
        return slice(int(self.arrays.first[row]), int(self.arrays.last[row]))

    def entries(self) -> tuple[Int64s, Int64s]:
        """Return the row of each entry, row after row, and where it stands in the arrays."""
        counts = self.counts
        return np.repeat(np.arange(self.n), counts), _places(self.arrays.first[: self.n], counts)

    def add_row(self) -> None:
        """Append an empty row."""
        a = self.arrays
        if self.n == len(a.first):
            self.arrays = a = a._replace(first=_grown(a.first), last=_grown(a.last), room=_grown(a.room))
        a.first[self.n] = a.last[self.n] = self.used
        a.room[self.n] = 0
        self.n += 1

    def insert(self, row: int, entry: Entry, rank: Int64s) -> int:
        """Put an entry into its place in a row; returns where that is."""
        a = self.arrays
        if a.last[row] - a.first[row] == a.room[row]:
            self._move(row)
            a = self.arrays
        if entry.other >= 2 ** (31 - self.shift) and a.word.dtype == np.uint32:
            self.arrays = a = a._replace(word=a.word.astype(np.uint64))
        return int(_insert(a, rank, row, entry.other, entry.code, entry.time, entry.weight, self.shift))

    def remove(self, row: int, at: int) -> None:
        """Take out the entry at a place of a row."""
        _remove(self.arrays, row, at)

    def _move(self, row: int) -> None:
        """Give a full row twice the room, at the end."""
        a = self.arrays
        size = self.size(row)
        room = max(_LEAST, 2 * size)
        while self.used + room > len(a.other):
            self.arrays = a = Rows(*a[:3], *(_grown(array) for array in a[3:]))
        old, new = slice(int(a.first[row]), int(a.last[row])), slice(self.used, self.used + size)
        for array in a[3:]:
            array[new] = array[old]
        self.holes += int(a.room[row])
        a.first[row], a.last[row], a.room[row] = self.used, self.used + size, room
        self.used += room


def _places(first: Int64s, counts: Int64s) -> Int64s:
    """Return where entries stand: ``counts`` of them from each ``first`` on."""
    return np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(int(counts.sum()))


def _spare(array: Int64s, n: int) -> Int64s:
    """Return an array with room for more rows."""
    out = np.zeros(n + max(n >> 3, 16), dtype=np.int64)
    out[:n] = array
    return out


def _placed(values: npt.NDArray[Any], where: Int64s, size: int) -> npt.NDArray[Any]:
    out = np.zeros(size, dtype=values.dtype)
    out[where] = values
    return out


def _grown(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return an array of half as much again, and some."""
    out = np.zeros(len(array) + max(len(array) >> 1, 64), dtype=array.dtype)
    out[: len(array)] = array
    return out
