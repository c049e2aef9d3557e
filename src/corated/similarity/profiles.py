"""The order in which the kernels see the profiles: by ascending number of ratings.

A *subject* is whoever is compared (users, or items when the roles are swapped); what it rated (or was
rated by) are its *objects*. Subjects are relabeled by ascending number of ratings, ties by code, and a
pair is visited once, from its lighter side: a query walks, for each of its objects, only the raters after
itself. Ascending order keeps the hot accumulators few, and bounds the co-rated count of every pair a query
meets by the query's own profile.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corated.similarity.jit import kernel

__all__ = [
    "MISSING",
    "Popular",
    "Profiles",
    "add_up",
    "arrange",
    "popular",
    "relabeled",
    "stable_order",
    "walked",
    "with_values",
]

MISSING = 255
"""Stands for "not rated" in `Popular.codes`; scales with 256 levels have no room for it."""
_POPULAR_BYTES = 24 << 20


class Profiles(NamedTuple):
    """Profiles of all subjects, relabeled, in both orientations.

    indptr : int64 (n + 1,), rows of ``objects``, ``codes`` and ``after`` by label
    objects : uint32 (nnz,), ascending within a row
    codes : uint8 (nnz,), rating codes
    after : int64 (nnz,), where in ``raters`` the raters of this object that follow this subject begin
    rater_ptr : int64 (objects + 1,), columns of ``raters``
    raters : uint32 or uint64 (nnz,), ``label << shift | code``, ascending within a column
    rank : int64 (n,), the rank of a label's id: the smaller, the earlier in ties
    label : int64 (n,), the label of each subject code
    shift : bits that hold a code
    values, rater_values : float64 (nnz,), what each rating counts as, in the order of ``objects`` and of
        ``raters``; empty where the codes say it
    """

    indptr: npt.NDArray[np.int64]
    objects: npt.NDArray[np.uint32]
    codes: npt.NDArray[np.uint8]
    after: npt.NDArray[np.int64]
    rater_ptr: npt.NDArray[np.int64]
    raters: npt.NDArray[np.unsignedinteger[Any]]
    rank: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    shift: int
    values: npt.NDArray[np.float64]
    rater_values: npt.NDArray[np.float64]

    @property
    def n(self) -> int:
        """The number of subjects."""
        return len(self.rank)


def arrange(
    indptr: npt.NDArray[np.int64],
    objects: npt.NDArray[np.integer[Any]],
    codes: npt.NDArray[np.uint8],
    n_objects: int,
    levels: int,
) -> Profiles:
    """Relabel the subjects of a CSR matrix of rating codes by ascending number of ratings.

    indptr, objects, codes : rows are subjects in id order, objects ascending within a row
    n_objects : number of columns
    levels : codes are below this
    """
    n = len(indptr) - 1
    counts = np.diff(indptr)
    rank = stable_order(counts, int(counts.max(initial=0)) + 1)
    label = np.empty(n, dtype=np.int64)
    label[rank] = np.arange(n)
    new_indptr, rater_ptr = np.zeros(n + 1, dtype=np.int64), np.zeros(n_objects + 1, dtype=np.int64)
    np.cumsum(counts[rank], out=new_indptr[1:])
    nnz = int(new_indptr[-1])
    shift = max(1, (levels - 1).bit_length())
    profiles = Profiles(
        new_indptr,
        np.empty(nnz, dtype=np.uint32),
        np.empty(nnz, dtype=np.uint8),
        np.empty(nnz, dtype=np.int64),
        rater_ptr,
        np.empty(nnz, dtype=np.uint32 if n << shift <= 2**32 else np.uint64),
        rank,
        label,
        shift,
        np.zeros(0),
        np.zeros(0),
    )
    _fill(indptr, objects, codes, np.zeros(n_objects, dtype=np.int64), profiles)
    return profiles


def stable_order(keys: npt.NDArray[np.int64], below: int) -> npt.NDArray[np.int64]:
    """Return the order of whole numbers from 0 to ``below``; equal ones stay as they stand.

    By 16 bits at a time, which NumPy sorts by their digits, in a third of the time.
    """
    order = np.argsort(keys.astype(np.uint16), kind="stable").astype(np.int64, copy=False)
    for shift in range(16, (below - 1).bit_length(), 16):
        order = order[np.argsort((keys[order] >> shift).astype(np.uint16), kind="stable")]
    return order


@kernel
def _fill(
    indptr: npt.NDArray[np.int64],
    objects: npt.NDArray[np.integer[Any]],
    codes: npt.NDArray[np.uint8],
    place: npt.NDArray[np.int64],
    profiles: Profiles,
) -> None:
    """Fill in the entries of profiles by row and by column; ``place`` is room for each object, zero."""
    rater_ptr = profiles.rater_ptr
    for entry in range(indptr[0], indptr[-1]):
        rater_ptr[objects[entry] + 1] += 1
    for object_ in range(len(place)):
        place[object_] = rater_ptr[object_]
        rater_ptr[object_ + 1] += rater_ptr[object_]
    out, shift = np.uint64(0), profiles.shift
    for u in range(len(profiles.rank)):
        row = profiles.rank[u]
        for source in range(np.uint64(indptr[row]), np.uint64(indptr[row + 1])):
            column, code = np.uint64(objects[source]), codes[source]
            at = place[column]
            place[column] = at + 1
            profiles.objects[out] = column
            profiles.codes[out] = code
            profiles.after[out] = at + 1
            profiles.raters[np.uint64(at)] = (u << shift) | np.int64(code)
            out += np.uint64(1)


@kernel
def add_up(
    profiles: Profiles,
    numbers: npt.NDArray[np.float64],
    sums: npt.NDArray[np.float64],
    norms: npt.NDArray[np.float64],
) -> None:
    """Set, by label, the sum of what a whole profile's rating codes stand for, and of the squares."""
    indptr, codes = profiles.indptr, profiles.codes
    for u in range(len(sums)):
        total, norm = 0.0, 0.0
        for entry in range(np.uint64(indptr[u]), np.uint64(indptr[u + 1])):
            number = numbers[codes[entry]]
            total += number
            norm += number * number
        sums[u], norms[u] = total, norm


@kernel
def walked(profiles: Profiles, both: bool, total: npt.NDArray[np.int64]) -> None:
    """Set how many raters each subject walks past, by label: all of its objects', or those after itself."""
    rater_ptr, objects, after, indptr = profiles.rater_ptr, profiles.objects, profiles.after, profiles.indptr
    for u in range(len(total)):
        events = 0
        for entry in range(np.uint64(indptr[u]), np.uint64(indptr[u + 1])):
            column = np.uint64(objects[entry])
            start = after[entry] if both else rater_ptr[column]
            events += rater_ptr[column + np.uint64(1)] - start
        total[u] = events


def relabeled(profiles: Profiles, indptr: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return where each entry of the profiles stands in the matrix that they were arranged from.

    indptr : its rows
    """
    counts = np.diff(profiles.indptr)
    return np.repeat(indptr[profiles.rank] - profiles.indptr[:-1], counts) + np.arange(len(profiles.objects))


def with_values(profiles: Profiles, values: npt.NDArray[np.float64]) -> Profiles:
    """Return the profiles with what each rating counts as, given in the order of ``objects``."""
    rater_values = np.empty_like(values)
    rater_values[profiles.after - 1] = values
    return profiles._replace(values=values, rater_values=rater_values)


class Popular(NamedTuple):
    """Rating codes of the objects with the most raters, one byte for each subject.

    slot : int64 (objects,), the row of an object, or -1 where it has none
    codes : uint8 (rows * n,), row r from ``r * n`` by label; `MISSING` where not rated
    n : the number of subjects
    """

    slot: npt.NDArray[np.int64]
    codes: npt.NDArray[np.uint8]
    n: int


def popular(profiles: Profiles, limit: int = _POPULAR_BYTES) -> Popular:
    """Spread out the objects with the most raters, as many as fit in ``limit`` bytes."""
    n, counts = len(profiles.rank), np.diff(profiles.rater_ptr)
    # Below a few raters, walking them is as quick as looking candidates up.
    most = min(limit // max(n, 1), int((counts >= 64).sum()))
    slot = np.full(len(counts), -1, dtype=np.int64)
    if most == 0:
        return Popular(slot, np.zeros(0, dtype=np.uint8), n)
    chosen = np.argsort(-counts, kind="stable")[:most]
    slot[chosen] = np.arange(most)
    codes = np.full(most * n, MISSING, dtype=np.uint8)
    low_bits = (1 << profiles.shift) - 1
    for row, column in enumerate(chosen):
        raters = profiles.raters[profiles.rater_ptr[column] : profiles.rater_ptr[column + 1]]
        codes[row * n + (raters >> profiles.shift).astype(np.int64)] = raters & low_bits
    return Popular(slot, codes, n)
