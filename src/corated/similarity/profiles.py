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
import scipy.sparse

__all__ = ["MISSING", "Popular", "Profiles", "arrange", "popular", "relabeled", "with_values"]

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
    rank = np.argsort(counts, kind="stable")
    label = np.empty(n, dtype=np.int64)
    label[rank] = np.arange(n)
    sorted_counts = counts[rank]
    new_indptr = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(sorted_counts, out=new_indptr[1:])
    nnz = int(new_indptr[-1])
    source = np.repeat(indptr[rank] - new_indptr[:-1], sorted_counts) + np.arange(nnz)
    new_objects = objects[source].astype(np.uint32)
    new_codes = codes[source].astype(np.uint8, copy=False)

    entry = np.arange(nnz, dtype=np.int64)
    by_row = scipy.sparse.csr_array((entry, new_objects.astype(np.int64), new_indptr), shape=(n, n_objects))
    by_column = by_row.tocsc()
    after = np.empty(nnz, dtype=np.int64)
    after[by_column.data] = entry + 1

    shift = max(1, (levels - 1).bit_length())
    wide = np.uint32 if n << shift <= 2**32 else np.uint64
    raters = (by_column.indices.astype(wide) << wide(shift)) | new_codes[by_column.data].astype(wide)
    return Profiles(
        new_indptr,
        new_objects,
        new_codes,
        after,
        by_column.indptr.astype(np.int64),
        raters,
        rank.astype(np.int64),
        label,
        shift,
        np.zeros(0),
        np.zeros(0),
    )


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
    chosen = np.argsort(-counts, kind="stable")[:most]
    slot[chosen] = np.arange(most)
    codes = np.full(most * n, MISSING, dtype=np.uint8)
    low_bits = (1 << profiles.shift) - 1
    for row, column in enumerate(chosen):
        raters = profiles.raters[profiles.rater_ptr[column] : profiles.rater_ptr[column + 1]]
        codes[row * n + (raters >> profiles.shift).astype(np.int64)] = raters & low_bits
    return Popular(slot, codes, n)
