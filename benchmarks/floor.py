"""The least that any exact method does: each shared object of each unordered pair, added to a counter."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numba
import numpy as np
import scipy.sparse as sp

Arrays = tuple[Any, ...]


def lists(data: sp.csr_matrix, blocks: int = 48) -> Arrays:
    """Return profiles and lists of raters, with subjects relabeled from the lightest to the heaviest."""
    order = np.argsort(np.diff(data.indptr), kind="stable")
    x = data[order].tocsr()
    x.sort_indices()
    t = x.T.tocsr()
    t.sort_indices()
    after = np.empty(x.nnz, dtype=np.int64)
    _places(x.indptr, x.indices, t.indptr, after)
    events = np.add.reduceat((t.indptr[1:][x.indices] - after).astype(np.int64), x.indptr[:-1])
    cuts = np.searchsorted(np.cumsum(events), np.linspace(0, events.sum(), blocks + 1))
    cuts[0], cuts[-1] = 0, x.shape[0]
    # Unsigned, so that no index is looked at for being negative.
    unsigned = [array.astype(np.uint64) for array in (x.indptr, x.indices, t.indptr, after)]
    indptr, objects, rater_ptr, after = unsigned
    return indptr, objects, rater_ptr, t.indices.astype(np.uint32), after, list(pairwise(cuts))


@numba.njit(cache=True)
def _places(indptr: Any, objects: Any, rater_ptr: Any, after: Any) -> None:
    """Note, for each rating, where in the object's list the raters after the subject begin."""
    seen = rater_ptr[:-1].copy()
    for u in range(len(indptr) - 1):
        for at in range(indptr[u], indptr[u + 1]):
            seen[objects[at]] += 1
            after[at] = seen[objects[at]]


@numba.njit(nogil=True, cache=True)
def count_block(
    start: int, stop: int, indptr: Any, objects: Any, rater_ptr: Any, raters: Any, after: Any
) -> int:
    """Count what each query of a block shares with everyone after it; returns a sum, so that it is done."""
    one = np.uint64(1)
    n = len(indptr) - 1
    counts = np.zeros(n, dtype=np.uint32)
    total = 0
    for u in range(np.uint64(start), np.uint64(stop)):
        walked = np.uint64(0)
        for at in range(indptr[u], indptr[u + one]):
            end = rater_ptr[objects[at] + one]
            walked += end - after[at]
            for place in range(after[at], end):
                counts[raters[place]] += np.uint32(1)
        total += counts[n - 1]
        if np.uint64(8) * walked > np.uint64(n) - u:
            counts[np.int64(u) :] = 0
            continue
        for at in range(indptr[u], indptr[u + one]):
            for place in range(after[at], rater_ptr[objects[at] + one]):
                counts[raters[place]] = np.uint32(0)
    return total
